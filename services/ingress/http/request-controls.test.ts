import { describe, expect, test } from '@jest/globals';
import { requestControls } from './request-controls.ts';

describe('request controls', () => {
  test.each([
    ['the default', {}, 9_000],
    ['the Turnout header', { 'x-turnout-deadline-ms': '1500' }, 1_500],
    ['the Node SDK', { 'x-stainless-timeout': '600' }, 600_000],
    ['the Python SDK', { 'x-stainless-read-timeout': '0.5' }, 500],
    ['the Turnout header before the SDK', { 'x-turnout-deadline-ms': '1', 'x-stainless-timeout': '600' }, 1],
    ['an SDK with an invalid value', { 'x-stainless-timeout': 'never' }, 9_000],
    ['at most a day', { 'x-stainless-timeout': '1e9' }, 86_400_000],
  ])('%s sets the deadline', (_what, headers, deadlineMs) => {
    expect(requestControls(headers, 9_000).deadlineMs).toBe(deadlineMs);
  });

  test.each(['0', '-1', '1.5', 'soon', '86400001', ''])('refuses x-turnout-deadline-ms: %j', (value) => {
    const ask = () => requestControls({ 'x-turnout-deadline-ms': value }, 9_000);
    expect(ask).toThrow(expect.objectContaining({ code: 'invalid_value', param: 'x-turnout-deadline-ms' }));
  });

  test('takes an idempotency key of 1 to 255 characters', () => {
    expect(requestControls({ 'idempotency-key': 'k' }, 1).idempotencyKey).toBe('k');
    const tooLong = () => requestControls({ 'idempotency-key': 'k'.repeat(256) }, 1);
    expect(tooLong).toThrow(expect.objectContaining({ code: 'invalid_value', param: 'Idempotency-Key' }));
  });
});
