import { expect, jest, test } from '@jest/globals';
import { Registry } from 'prom-client';
import { type Cache } from '../../shared/content/cache/cache.ts';
import { toStats } from '../../shared/content/cache/stats.ts';
import { measureTotals } from './figures.ts';

const totals = { entries: 3, bytes: 900, owners: 2, evicted: 4, expired: 5, cleared: 6 };

async function samplesOf(stats: Cache['stats']): Promise<string[]> {
  const registry = new Registry();
  measureTotals(registry, { stats });
  const text = await registry.metrics();
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

test('a scrape reads the statistics once and reports all of them', async () => {
  const stats = jest.fn<Cache['stats']>(() =>
    Promise.resolve(toStats({ ...totals, counts: { 'hit/answer': 2, 'miss/rag': 1 } })),
  );
  expect(await samplesOf(stats)).toEqual(
    expect.arrayContaining([
      'turnout_cache_up 1',
      'turnout_cache_entries 3',
      'turnout_cache_bytes 900',
      'turnout_cache_users 2',
      'turnout_cache_evictions 4',
      'turnout_cache_expirations 5',
      'turnout_cache_clearances 6',
      'turnout_cache_lookups{kind="answer",found="true"} 2',
      'turnout_cache_lookups{kind="rag",found="false"} 1',
      'turnout_cache_lookups{kind="model",found="true"} 0',
    ]),
  );
  expect(stats).toHaveBeenCalledTimes(1);
});

test('an unavailable cache reports only turnout_cache_up 0', async () => {
  expect(await samplesOf(() => Promise.reject(new Error('away')))).toEqual(['turnout_cache_up 0']);
});
