import { describe, expect, test } from '@jest/globals';
import { ConfigError } from '../shared/platform/config/load.ts';
import { operatorSettings } from './settings.ts';

const stack = { KAFKA_BROKERS: 'stack:1', REDIS_URL: 'redis://stack:2', TURNOUT_API_KEY: 'k' };

/** Kafka and Redis that the settings name. */
function addresses(shell: Record<string, string>, file: Record<string, string> = {}, running = {}) {
  const { KAFKA_BROKERS, REDIS_URL } = operatorSettings({ shell, file, stack: running });
  return [KAFKA_BROKERS.join(','), REDIS_URL];
}

describe('the servers are', () => {
  test("the running stack's, when the shell names none", () => {
    expect(addresses({ KAFKA_BROKERS: '' }, { KAFKA_BROKERS: 'file:1' }, stack)).toEqual([
      'stack:1',
      'redis://stack:2',
    ]);
  });
  test("the shell's, when it names both", () => {
    const shell = { KAFKA_BROKERS: 'shell:1', REDIS_URL: 'redis://shell:2' };
    expect(addresses(shell, { KAFKA_BROKERS: 'file:1' }, stack)).toEqual(['shell:1', 'redis://shell:2']);
  });
  test("the file's, when no stack runs", () => {
    const file = { KAFKA_BROKERS: 'file:1', REDIS_URL: 'redis://file:2' };
    expect(addresses({}, file)).toEqual(['file:1', 'redis://file:2']);
  });
  test('the defaults, when nobody names any', () => {
    expect(addresses({})).toEqual(['127.0.0.1:9092', 'redis://127.0.0.1:6379']);
  });
});

describe("one system's Kafka is never looked at beside another one's Redis:", () => {
  test.each<[string, Record<string, string>, Record<string, string>]>([
    ['the environment has KAFKA_BROKERS and not REDIS_URL', { KAFKA_BROKERS: 'shell:1', REDIS_URL: '' }, {}],
    ['the environment has REDIS_URL and not KAFKA_BROKERS', { REDIS_URL: 'redis://shell:2' }, stack],
    ['.env has KAFKA_BROKERS and not REDIS_URL', {}, { KAFKA_BROKERS: 'file:1' }],
    ['.env has REDIS_URL and not KAFKA_BROKERS', {}, { REDIS_URL: 'redis://file:2' }],
  ])('%s', (problem, shell, file) => {
    const running = Object.keys(shell).length > 0 ? stack : {};
    expect(() => addresses(shell, file, running)).toThrow(ConfigError);
    expect(() => addresses(shell, file, running)).toThrow(problem);
  });
});

test('prefixes come from the shell before the file', () => {
  const file = { TOPIC_PREFIX: 'file', REDIS_PREFIX: 'file' };
  const settings = operatorSettings({ shell: { TOPIC_PREFIX: 'shell' }, file, stack });
  expect([settings.TOPIC_PREFIX, settings.REDIS_PREFIX]).toEqual(['shell', 'file']);
});

test("the secret is the running stack's, unless the shell has another one", () => {
  const running = { ...stack, TURNOUT_SECRET: 'k'.repeat(32) };
  const file = { TURNOUT_SECRET: 'f'.repeat(32) };
  expect(operatorSettings({ shell: {}, file, stack: running }).TURNOUT_SECRET).toBe('k'.repeat(32));
  const shell = { TURNOUT_SECRET: 's'.repeat(32) };
  expect(operatorSettings({ shell, file, stack: running }).TURNOUT_SECRET).toBe('s'.repeat(32));
  expect(operatorSettings({ shell: {}, file, stack: {} }).TURNOUT_SECRET).toBe('f'.repeat(32));
  expect(operatorSettings({ shell: {}, file: {}, stack }).TURNOUT_SECRET).toBeUndefined();
});

test('every problem is named at once', () => {
  const shell = { KAFKA_BROKERS: 'x', REDIS_URL: 'http://x', TOPIC_PREFIX: 'A' };
  const parse = () => operatorSettings({ shell, file: {}, stack: {} });
  expect(parse).toThrow(ConfigError);
  expect(parse).toThrow(/KAFKA_BROKERS[^]*TOPIC_PREFIX[^]*REDIS_URL/);
});
