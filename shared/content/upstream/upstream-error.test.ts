import { describe, expect, test } from '@jest/globals';
import { APIConnectionError, APIConnectionTimeoutError, APIError, APIUserAbortError } from 'openai';
import { upstreamError } from './upstream-error.ts';

function httpError(status: number, body: object = {}, headers: Record<string, string> = {}): APIError {
  return APIError.generate(status, { error: body }, 'provider text', new Headers(headers));
}

/** Wrapped as the openai client wraps errors of undici's fetch. */
function connectionError(code: string): APIConnectionError {
  const socket = Object.assign(new Error('x'), { code });
  return new APIConnectionError({ cause: new TypeError('fetch failed', { cause: socket }) });
}

describe('a failed call becomes a TurnoutError', () => {
  test.each([
    [400, 'upstream_rejected', false],
    [422, 'upstream_rejected', false],
    [401, 'upstream_auth', false],
    [403, 'upstream_auth', false],
    [404, 'upstream_model_not_found', false],
    [408, 'upstream_failed', true],
    [409, 'upstream_failed', true],
    [429, 'upstream_rate_limited', true],
    [500, 'upstream_failed', true],
    [503, 'upstream_failed', true],
  ])('HTTP %i is %s', (status, code, retryable) => {
    expect(upstreamError(httpError(status))).toMatchObject({ code, retryable });
  });

  test.each([
    ['a refused connection', connectionError('ECONNREFUSED'), 'upstream_unreachable'],
    ['a host without an address', connectionError('ENOTFOUND'), 'upstream_unreachable'],
    ['a host that does not answer', connectionError('UND_ERR_CONNECT_TIMEOUT'), 'upstream_unreachable'],
    ['a reset after the request was sent', connectionError('ECONNRESET'), 'upstream_cut'],
    ['a socket that was closed before the answer', connectionError('UND_ERR_SOCKET'), 'upstream_cut'],
    ['a connection error without a known cause', new APIConnectionError({ message: 'x' }), 'upstream_cut'],
    ['a timeout', new APIConnectionTimeoutError(), 'deadline_exceeded'],
    ["the caller's abort", new APIUserAbortError(), 'cancelled'],
    [
      'an error event inside the stream',
      new APIError(undefined, { message: 'x' }, 'x', undefined),
      'upstream_cut',
    ],
    ['a socket that broke during the answer', new TypeError('terminated'), 'upstream_cut'],
  ])('%s', (_what, error, code) => {
    expect(upstreamError(error)).toMatchObject({ code });
  });

  test.each([
    [400, `b'{"error":{"code":400,"details":[{"reason":"API_KEY_INVALID","domain":"googleapis.com"}]}}'`],
    [500, 'litellm.InternalServerError: OpenAIException - Missing credentials. Please pass an `api_key`'],
    [500, 'litellm.APIError: AzureException APIError - Missing credentials. Please pass one of `api_key`'],
    [500, 'litellm.APIConnectionError: Missing Gemini API key. Set the GEMINI_API_KEY'],
  ])(
    'missing or invalid credentials that LiteLLM reports only in the message: HTTP %i %s',
    (status, message) => {
      expect(upstreamError(httpError(status, { message }))).toMatchObject({
        code: 'upstream_auth',
        retryable: false,
      });
    },
  );

  test('context_length_exceeded keeps its code', () => {
    expect(upstreamError(httpError(400, { code: 'context_length_exceeded' }))).toMatchObject({
      code: 'context_length_exceeded',
    });
  });

  test("the provider's message never reaches the client", () => {
    const error = upstreamError(httpError(400, { message: 'key sk-123 of organisation acme' }));
    expect(error.message).not.toContain('acme');
  });

  test.each([
    ['7', 7],
    ['0.2', 1],
    ['99999', 600],
    ['soon', undefined],
  ])('Retry-After %s is passed on, capped', (header, seconds) => {
    expect(upstreamError(httpError(429, {}, { 'retry-after': header })).retryAfterS).toBe(seconds);
    expect(upstreamError(httpError(429, {}, { 'llm_provider-retry-after': header })).retryAfterS).toBe(
      seconds,
    );
  });
});
