import { expect, test } from '@jest/globals';
import { chosenKind, givenAddresses } from './run-system.ts';

const [engine, noEngine] = [() => Promise.resolve(true), () => Promise.resolve(false)];

test.each([
  [{}, engine, 'containers'],
  [{}, noEngine, 'embedded'],
  [{ TURNOUT_TEST_SYSTEM: '' }, noEngine, 'embedded'],
  [{ TURNOUT_TEST_SYSTEM: 'embedded' }, engine, 'embedded'],
  [{ TURNOUT_TEST_SYSTEM: 'environment' }, engine, 'environment'],
  // Those of `make up` are exported in many a shell.
  [{ REDIS_URL: 'redis://127.0.0.1:6379' }, noEngine, 'embedded'],
])('%j', async (env, answers, kind) => {
  await expect(chosenKind(env, answers)).resolves.toBe(kind);
});

test('another word is refused with those that there are', async () => {
  await expect(chosenKind({ TURNOUT_TEST_SYSTEM: 'docker' }, engine)).rejects.toThrow(
    'TURNOUT_TEST_SYSTEM must be one of embedded, cluster, containers, environment, and is docker',
  );
});

test('given addresses are those of the parts; the simulator plays the legacy path too', () => {
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
