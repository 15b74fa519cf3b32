import { describe, expect, test } from '@jest/globals';
import { catalogue, errorCodes, errorSpec } from './catalogue.ts';
import { toEnvelope } from './openai-envelope.ts';
import { TurnoutError } from './turnout-error.ts';

describe.each(errorCodes)('%s', (code) => {
  const spec = errorSpec(code);

  test('has a status that fits its type', () => {
    const statuses: Record<typeof spec.type, (status: number) => boolean> = {
      invalid_request_error: (status) => status >= 400 && status < 500,
      authentication_error: (status) => status === 401,
      permission_error: (status) => status === 403,
      not_found_error: (status) => status === 404,
      conflict_error: (status) => status === 409,
      rate_limit_error: (status) => status === 429,
      server_error: (status) => status >= 500 && status < 600,
    };
    expect(statuses[spec.type](spec.status)).toBe(true);
  });

  test('is retryable only if the same request may succeed later', () => {
    if (spec.retryable) expect(spec.status === 429 || spec.status >= 500).toBe(true);
  });

  test('has a message that reveals no internals', () => {
    expect(spec.message).toMatch(/^[A-Z].*\.$/);
    expect(spec.message).not.toMatch(/kafka|redis|bullmq|litellm|postgres/i);
  });
});

describe('an error', () => {
  test('has the properties that the catalogue gives for its code', () => {
    const error = new TurnoutError('upstream_rate_limited', { retryAfterS: 3 });
    const { status, type, retryable, message } = catalogue.upstream_rate_limited;
    expect(error).toMatchObject({ name: 'TurnoutError', status, type, retryable, message, retryAfterS: 3 });
  });

  test('shows its message and parameter to the client, but never its cause', () => {
    const cause = new Error('password wrong at 10.0.0.1');
    const error = new TurnoutError('invalid_value', { message: 'n must be 1.', param: 'n', cause });
    expect(toEnvelope(error)).toEqual({
      error: { message: 'n must be 1.', type: 'invalid_request_error', param: 'n', code: 'invalid_value' },
    });
    expect(error.cause).toBe(cause);
  });

  test('has param null if there is no parameter, as in OpenAI’s API', () => {
    expect(toEnvelope(new TurnoutError('internal_error')).error.param).toBeNull();
  });

  test('is not wrapped again', () => {
    const error = new TurnoutError('cancelled');
    expect(TurnoutError.from(error)).toBe(error);
  });

  test.each([new TypeError('x is not a function'), 'a string', undefined])(
    'made from %p is an internal_error',
    (thrown) => {
      const error = TurnoutError.from(thrown);
      expect(error).toMatchObject({
        code: 'internal_error',
        message: catalogue.internal_error.message,
        cause: thrown,
      });
    },
  );
});
