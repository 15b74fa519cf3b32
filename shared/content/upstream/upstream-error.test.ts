import { describe, expect, test } from '@jest/globals';
import { APIConnectionError, APIConnectionTimeoutError, APIError, APIUserAbortError } from 'openai';
import { upstreamError } from './upstream-error.ts';

function httpError(status: number, body: object = {}, headers: Record<string, string> = {}): APIError {
  return APIError.generate(status, { error: body }, 'provider text', new Headers(headers));
}

/** As the openai client wraps what undici's fetch rejects with. */
function connectionError(code: string): APIConnectionError {
  const socket = Object.assign(new Error('x'), { code });
  return new APIConnectionError({ cause: new TypeError('fetch failed', { cause: socket }) });
}

describe('a failed call becomes one of our errors', () => {
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
    ['a connection that was refused', connectionError('ECONNREFUSED'), 'upstream_unreachable'],
    ['a host that has no address', connectionError('ENOTFOUND'), 'upstream_unreachable'],
    ['a host that does not answer', connectionError('UND_ERR_CONNECT_TIMEOUT'), 'upstream_unreachable'],
    ['a reset after the request had been sent', connectionError('ECONNRESET'), 'upstream_cut'],
    ['a socket that was closed before an answer', connectionError('UND_ERR_SOCKET'), 'upstream_cut'],
    ['a connection that failed nobody knows how', new APIConnectionError({ message: 'x' }), 'upstream_cut'],
    ['a time-out', new APIConnectionTimeoutError(), 'deadline_exceeded'],
    ['our own abort', new APIUserAbortError(), 'cancelled'],
    [
      'an error event inside the stream',
      new APIError(undefined, { message: 'x' }, 'x', undefined),
      'upstream_cut',
    ],
    ['a socket that broke in the middle', new TypeError('terminated'), 'upstream_cut'],
  ])('%s', (_what, error, code) => {
    expect(upstreamError(error)).toMatchObject({ code });
  });

  test.each([
    [400, `b'{"error":{"code":400,"details":[{"reason":"API_KEY_INVALID","domain":"googleapis.com"}]}}'`],
    [500, 'litellm.InternalServerError: OpenAIException - Missing credentials. Please pass an `api_key`'],
    [500, 'litellm.APIError: AzureException APIError - Missing credentials. Please pass one of `api_key`'],
    [500, 'litellm.APIConnectionError: Missing Gemini API key. Set the GEMINI_API_KEY'],
  ])('credentials that LiteLLM tells of in words only: HTTP %i %s', (status, message) => {
    expect(upstreamError(httpError(status, { message }))).toMatchObject({
      code: 'upstream_auth',
      retryable: false,
    });
  });

  test('a context that is too long keeps its own code', () => {
    expect(upstreamError(httpError(400, { code: 'context_length_exceeded' }))).toMatchObject({
      code: 'context_length_exceeded',
    });
  });

  test("the provider's words never reach the client", () => {
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
