import { describe, expect, test } from '@jest/globals';
import { ConfigError } from '../shared/platform/config/load.ts';
import { operatorSettings } from './settings.ts';

const stack = { KAFKA_BROKERS: 'stack:1', REDIS_URL: 'redis://stack:2', TURNOUT_API_KEY: 'k' };

/** The addresses of Kafka and Redis in the settings. */
function addresses(shell: Record<string, string>, file: Record<string, string> = {}, running = {}) {
  const { KAFKA_BROKERS, REDIS_URL } = operatorSettings({ shell, file, stack: running });
  return [KAFKA_BROKERS.join(','), REDIS_URL];
}

describe('the server addresses come from', () => {
  test('the running stack, if the shell sets none', () => {
    expect(addresses({ KAFKA_BROKERS: '' }, { KAFKA_BROKERS: 'file:1' }, stack)).toEqual([
      'stack:1',
      'redis://stack:2',
    ]);
  });
  test('the shell, if it sets both', () => {
    const shell = { KAFKA_BROKERS: 'shell:1', REDIS_URL: 'redis://shell:2' };
    expect(addresses(shell, { KAFKA_BROKERS: 'file:1' }, stack)).toEqual(['shell:1', 'redis://shell:2']);
  });
  test('.env, if no stack runs', () => {
    const file = { KAFKA_BROKERS: 'file:1', REDIS_URL: 'redis://file:2' };
    expect(addresses({}, file)).toEqual(['file:1', 'redis://file:2']);
  });
  test('the defaults, if no source sets any', () => {
    expect(addresses({})).toEqual(['127.0.0.1:9092', 'redis://127.0.0.1:6379']);
  });
});

describe('Kafka and Redis of two different systems are never mixed:', () => {
  test.each<[string, Record<string, string>, Record<string, string>]>([
    ['the environment sets KAFKA_BROKERS but not REDIS_URL', { KAFKA_BROKERS: 'shell:1', REDIS_URL: '' }, {}],
    ['the environment sets REDIS_URL but not KAFKA_BROKERS', { REDIS_URL: 'redis://shell:2' }, stack],
    ['.env sets KAFKA_BROKERS but not REDIS_URL', {}, { KAFKA_BROKERS: 'file:1' }],
    ['.env sets REDIS_URL but not KAFKA_BROKERS', {}, { REDIS_URL: 'redis://file:2' }],
  ])('%s', (problem, shell, file) => {
    const running = Object.keys(shell).length > 0 ? stack : {};
    expect(() => addresses(shell, file, running)).toThrow(ConfigError);
    expect(() => addresses(shell, file, running)).toThrow(problem);
  });
});

test('prefixes in the shell override those in .env', () => {
  const file = { TOPIC_PREFIX: 'file', REDIS_PREFIX: 'file' };
  const settings = operatorSettings({ shell: { TOPIC_PREFIX: 'shell' }, file, stack });
  expect([settings.TOPIC_PREFIX, settings.REDIS_PREFIX]).toEqual(['shell', 'file']);
});

test("the running stack's secret is used unless the shell sets one", () => {
  const running = { ...stack, TURNOUT_SECRET: 'k'.repeat(32) };
  const file = { TURNOUT_SECRET: 'f'.repeat(32) };
  expect(operatorSettings({ shell: {}, file, stack: running }).TURNOUT_SECRET).toBe('k'.repeat(32));
  const shell = { TURNOUT_SECRET: 's'.repeat(32) };
  expect(operatorSettings({ shell, file, stack: running }).TURNOUT_SECRET).toBe('s'.repeat(32));
  expect(operatorSettings({ shell: {}, file, stack: {} }).TURNOUT_SECRET).toBe('f'.repeat(32));
  expect(operatorSettings({ shell: {}, file: {}, stack }).TURNOUT_SECRET).toBeUndefined();
});

test('one error names every problem', () => {
  const shell = { KAFKA_BROKERS: 'x', REDIS_URL: 'http://x', TOPIC_PREFIX: 'A' };
  const parse = () => operatorSettings({ shell, file: {}, stack: {} });
  expect(parse).toThrow(ConfigError);
  expect(parse).toThrow(/KAFKA_BROKERS[^]*TOPIC_PREFIX[^]*REDIS_URL/);
});
