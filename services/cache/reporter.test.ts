import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { type Cache } from '../../shared/content/cache/cache.ts';
import { toStats } from '../../shared/content/cache/stats.ts';
import { createLogger } from '../../shared/platform/log/logger.ts';
import { createReporter } from './reporter.ts';

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

const totals = { entries: 3, bytes: 900, owners: 2, evicted: 4, expired: 5, cleared: 6 };

test('logs the statistics with the phrase of the rollout guide, and continues after a failed read', async () => {
  const lines: Record<string, unknown>[] = [];
  const stats = jest
    .fn<Cache['stats']>()
    .mockResolvedValueOnce(toStats({ ...totals, counts: { 'hit/answer': 2, 'miss/rag': 1 } }))
    .mockRejectedValueOnce(new Error('away'))
    .mockResolvedValue(toStats({ ...totals, counts: {} }));
  const write = (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>);
  const log = createLogger('test', { LOG_LEVEL: 'info' }, { write });
  const reporter = createReporter({ cache: { stats }, everyMs: 1_000, log });
  reporter.start();
  await jest.advanceTimersByTimeAsync(3_000);
  const figures = { entries: 3, bytes: 900, evictions: 4, users: 2 };
  expect(lines).toMatchObject([
    { msg: 'Cache stats', hits: 2, misses: 1, rate: 0.667, ...figures },
    { msg: 'Could not read the cache statistics; retrying' },
    { msg: 'Cache stats', hits: 0, misses: 0, rate: null, ...figures },
  ]);
  await reporter.close();
});
