import { expect, test } from '@jest/globals';
import { chosenKind, givenAddresses } from './run-system.ts';

const [engine, noEngine] = [() => Promise.resolve(true), () => Promise.resolve(false)];

test.each([
  [{}, engine, 'containers'],
  [{}, noEngine, 'embedded'],
  [{ TURNOUT_TEST_SYSTEM: '' }, noEngine, 'embedded'],
  [{ TURNOUT_TEST_SYSTEM: 'embedded' }, engine, 'embedded'],
  [{ TURNOUT_TEST_SYSTEM: 'environment' }, engine, 'environment'],
  // Many shells export the addresses that `make up` prints; they must not be used by accident.
  [{ REDIS_URL: 'redis://127.0.0.1:6379' }, noEngine, 'embedded'],
])('%j', async (env, answers, kind) => {
  await expect(chosenKind(env, answers)).resolves.toBe(kind);
});

test('an unknown kind is refused, and the message lists the valid ones', async () => {
  await expect(chosenKind({ TURNOUT_TEST_SYSTEM: 'docker' }, engine)).rejects.toThrow(
    'TURNOUT_TEST_SYSTEM must be one of embedded, cluster, containers, environment, and is docker',
  );
});

test('given addresses are used for the chosen parts; the simulator also serves as the legacy system', () => {
  const env = { KAFKA_BROKERS: 'k:9092', UPSTREAM_URL: 'http://u:1', REDIS_URL: 'redis://r' };
  expect(givenAddresses(env, new Set(['kafka', 'upstream']))).toEqual({
    KAFKA_BROKERS: 'k:9092',
    UPSTREAM_URL: 'http://u:1',
    LEGACY_BASE_URL: 'http://u:1/v1',
    LEGACY_API_KEY: 'simulator',
  });
  expect(() => givenAddresses(env, new Set(['kafka', 'litellm']))).toThrow(
    'TURNOUT_TEST_SYSTEM=environment needs LITELLM_URL, LITELLM_MASTER_KEY',
  );
});
