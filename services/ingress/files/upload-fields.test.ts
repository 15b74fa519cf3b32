import { describe, expect, test } from '@jest/globals';
import { parseUploadFields } from './upload-fields.ts';

const parse = (fields: Record<string, unknown>) => parseUploadFields(new Map(Object.entries(fields)));
const expires = (anchor: unknown, seconds: unknown) => ({
  purpose: 'user_data',
  'expires_after[anchor]': anchor,
  'expires_after[seconds]': seconds,
});

test.each(['assistants', 'batch', 'fine-tune', 'vision', 'user_data', 'evals'])(
  '%s is accepted as a purpose',
  (purpose) => {
    expect(parse({ purpose })).toEqual({ purpose, expiresAfterMs: undefined });
  },
);

test('an expiry counts from the file’s creation', () => {
  expect(parse(expires('created_at', '3600')).expiresAfterMs).toBe(3_600_000);
  expect(parse(expires('created_at', '2592000')).expiresAfterMs).toBe(2_592_000_000);
});

describe('the error names the invalid field', () => {
  test.each<[string, Record<string, unknown>, string]>([
    ['no purpose', {}, 'purpose'],
    ['an unknown purpose', { purpose: 'world domination' }, 'purpose'],
    ['a purpose that is not a string', { purpose: 7 }, 'purpose'],
    ['another anchor', expires('last_active_at', '3600'), 'expires_after.anchor'],
    ['no anchor', { purpose: 'batch', 'expires_after[seconds]': '3600' }, 'expires_after.anchor'],
    ['no seconds', { purpose: 'batch', 'expires_after[anchor]': 'created_at' }, 'expires_after.seconds'],
    ['less than an hour', expires('created_at', '3599'), 'expires_after.seconds'],
    ['more than 30 days', expires('created_at', '2592001'), 'expires_after.seconds'],
    ['not a number', expires('created_at', 'soon'), 'expires_after.seconds'],
    ['an unknown field', { purpose: 'batch', colour: 'red' }, 'colour'],
  ])('%s', (_what, fields, param) => {
    expect(() => parse(fields)).toThrow(expect.objectContaining({ code: 'invalid_value', param }));
  });
});
