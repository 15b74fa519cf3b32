import { describe, expect, test } from '@jest/globals';
import { parseUploadFields } from './upload-fields.ts';

const parse = (fields: Record<string, unknown>) => parseUploadFields(new Map(Object.entries(fields)));
const expires = (anchor: unknown, seconds: unknown) => ({
  purpose: 'user_data',
  'expires_after[anchor]': anchor,
  'expires_after[seconds]': seconds,
});

test.each(['assistants', 'batch', 'fine-tune', 'vision', 'user_data', 'evals'])(
  '%s is a purpose',
  (purpose) => {
    expect(parse({ purpose })).toEqual({ purpose, expiresAfterMs: undefined });
  },
);

test('an expiry counts from the creation', () => {
  expect(parse(expires('created_at', '3600')).expiresAfterMs).toBe(3_600_000);
  expect(parse(expires('created_at', '2592000')).expiresAfterMs).toBe(2_592_000_000);
});

describe('a wrong field is named', () => {
  test.each<[string, Record<string, unknown>, string]>([
    ['no purpose', {}, 'purpose'],
    ['a purpose that there is not', { purpose: 'world domination' }, 'purpose'],
    ['a purpose that is no text', { purpose: 7 }, 'purpose'],
    ['another anchor', expires('last_active_at', '3600'), 'expires_after.anchor'],
    ['no anchor', { purpose: 'batch', 'expires_after[seconds]': '3600' }, 'expires_after.anchor'],
    ['no seconds', { purpose: 'batch', 'expires_after[anchor]': 'created_at' }, 'expires_after.seconds'],
    ['less than an hour', expires('created_at', '3599'), 'expires_after.seconds'],
    ['more than 30 days', expires('created_at', '2592001'), 'expires_after.seconds'],
    ['no number', expires('created_at', 'soon'), 'expires_after.seconds'],
    ['a field that there is not', { purpose: 'batch', colour: 'red' }, 'colour'],
  ])('%s', (_what, fields, param) => {
    expect(() => parse(fields)).toThrow(expect.objectContaining({ code: 'invalid_value', param }));
  });
});
