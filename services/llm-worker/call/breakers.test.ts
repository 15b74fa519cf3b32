import { expect, test } from '@jest/globals';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { silentLogger } from '../../../shared/platform/log/logger.ts';
import { createBreakers } from './breakers.ts';
import { DivergedError } from './overlap.ts';

const ENOUGH = 40;

/** Whether a model's circuit is open after `ENOUGH` failed calls. */
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
  ['an error that the client caused', new TurnoutError('upstream_rejected')],
  ['a continuation that diverged', new TurnoutError('upstream_cut', { cause: new DivergedError() })],
])("a model's circuit stays closed on %s", async (_what, failure) => {
  expect(await opensAfter(failure)).toBe(false);
});
