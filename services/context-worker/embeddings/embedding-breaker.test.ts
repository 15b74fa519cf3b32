import { expect, test } from '@jest/globals';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { silentLogger } from '../../../shared/platform/log/logger.ts';
import { withBreaker } from './embedding-breaker.ts';
import { type EmbeddingCall } from './embeddings.ts';

const call: EmbeddingCall = { signal: new AbortController().signal, timeoutMs: 1_000 };

/** How many of ten calls reach an endpoint that always fails with this error, and the error of the last call. */
async function askedInTen(failure: Error): Promise<{ asked: number; last: unknown }> {
  let asked = 0;
  const endpoint = { model: 'm', embed: () => ((asked += 1), Promise.reject(failure)) };
  const guarded = withBreaker(endpoint, silentLogger);
  let last: unknown;
  for (let n = 0; n < 10; n += 1) last = await guarded.embed(['a'], call).catch((error: unknown) => error);
  return { asked, last };
}

test.each(['upstream_stalled', 'upstream_unreachable', 'upstream_auth'] as const)(
  'an endpoint that answers %s three times is not called again at once',
  async (code) => {
    const { asked, last } = await askedInTen(new TurnoutError(code));
    expect(asked).toBe(3);
    expect(last).toMatchObject({ code: 'upstream_failed' });
  },
);

test.each([
  ['a text that the endpoint rejects', new TurnoutError('upstream_rejected')],
  ['a call that was aborted', new Error('deadline')],
])('%s does not open the circuit', async (_what, failure) => {
  expect(await askedInTen(failure)).toEqual({ asked: 10, last: failure });
});
