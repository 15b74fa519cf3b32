import { expect, test } from '@jest/globals';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { silentLogger } from '../../../shared/platform/log/logger.ts';
import { createBreakers } from './breakers.ts';
import { DivergedError } from './overlap.ts';

const ENOUGH = 40;

/** Whether a model's circuit is open after so many failed calls. */
async function opensAfter(failure: TurnoutError): Promise<boolean> {
  const breakers = createBreakers(silentLogger);
  for (let call = 0; call < ENOUGH; call += 1)
    await breakers.run('m', () => Promise.reject(failure)).catch(() => undefined);
  let called = false;
  await breakers.run('m', () => Promise.resolve((called = true))).catch(() => undefined);
  return !called;
}

test("a model's circuit opens on its provider's failures", async () => {
  expect(await opensAfter(new TurnoutError('upstream_failed'))).toBe(true);
});

test.each([
  ["the client's own fault", new TurnoutError('upstream_rejected')],
  ['a continuation that went another way', new TurnoutError('upstream_cut', { cause: new DivergedError() })],
])('but not on %s', async (_what, failure) => {
  expect(await opensAfter(failure)).toBe(false);
});
