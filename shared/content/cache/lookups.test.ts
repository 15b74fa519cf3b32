import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { Registry } from 'prom-client';
import { createLogger } from '../../platform/log/logger.ts';
import { type EntryStore } from './entry-store.ts';
import { type CacheKey } from '../../contracts/cache-kinds.ts';
import { createLookups } from './lookups.ts';

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

const ofAda: CacheKey = { kind: 'answer', user: 'ada', fingerprint: 'f' };
const ofNobody: CacheKey = { kind: 'model', fingerprint: 'm' };

function watched(count = jest.fn<EntryStore['count']>(() => Promise.resolve())) {
  const lines: string[] = [];
  const registry = new Registry();
  const lookups = createLookups({
    entries: { count },
    hashUser: (user) => `hash of ${user}`,
    registry,
    log: createLogger('test', { LOG_LEVEL: 'info' }, { write: (line) => void lines.push(line) }),
  });
  return { count, lines, registry, lookups };
}

test('each look-up is logged with the phrase of the rollout guide and the user’s hash', async () => {
  const { lines, lookups } = watched();
  lookups.record(ofAda, true);
  lookups.record(ofAda, false);
  lookups.record(ofNobody, true);
  await lookups.close();
  const told = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(told).toMatchObject([
    { kind: 'answer', userHash: 'hash of ada', msg: 'Cache HIT' },
    { kind: 'answer', userHash: 'hash of ada', msg: 'Cache MISS' },
    { kind: 'model', msg: 'Cache HIT' },
  ]);
  expect(told[2]).not.toHaveProperty('userHash');
});

test('each look-up is counted in the process at once, and in the totals within a second', async () => {
  const { count, registry, lookups } = watched();
  for (const hit of [true, true, false]) lookups.record(ofAda, hit);
  expect(await registry.metrics()).toContain('turnout_cache_lookups_total{kind="answer",found="true"} 2');
  expect(count).not.toHaveBeenCalled();
  await jest.advanceTimersByTimeAsync(1_000);
  lookups.record(ofNobody, false);
  await jest.advanceTimersByTimeAsync(3_000);
  expect(count.mock.calls.map(([counts]) => Object.fromEntries(counts))).toEqual([
    { 'hit/answer': 2, 'miss/answer': 1 },
    { 'miss/model': 1 },
  ]);
  await lookups.close();
});

test('pending look-ups are counted on close', async () => {
  const { count, lookups } = watched();
  lookups.record(ofAda, true);
  await lookups.close();
  expect(count).toHaveBeenCalledTimes(1);
});

test('look-ups work when the totals are unavailable', async () => {
  const { count, lookups } = watched(jest.fn(() => Promise.reject(new Error('away'))));
  lookups.record(ofAda, true);
  await jest.advanceTimersByTimeAsync(1_000);
  lookups.record(ofAda, true);
  await lookups.close();
  expect(count).toHaveBeenCalledTimes(2);
});
