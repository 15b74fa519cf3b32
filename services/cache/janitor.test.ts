import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { type EntryStore } from '../../shared/content/cache/entry-store.ts';
import { createLogger } from '../../shared/platform/log/logger.ts';
import { createJanitor } from './janitor.ts';

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

const NOTHING = { expired: 0, cleared: 0, more: false };

function employ(sweeps: Awaited<ReturnType<EntryStore['sweep']>>[], evicted: number[] = [0]) {
  const lines: Record<string, unknown>[] = [];
  const sweep = jest.fn(() => Promise.resolve(sweeps.shift() ?? NOTHING));
  const rest = { entries: 7, bytes: 900, owners: 2, expired: 0, cleared: 0, counts: {} };
  const totals = () => Promise.resolve({ ...rest, evicted: evicted.shift() ?? 0 });
  const write = (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>);
  const janitor = createJanitor({
    entries: { sweep, totals },
    redis: { info: () => Promise.resolve('# Memory\r\nused_memory:12345\r\nused_memory_human:12K\r\n') },
    everyMs: 1_000,
    log: createLogger('test', { LOG_LEVEL: 'info' }, { write }),
  });
  janitor.start();
  return { janitor, lines, sweep };
}

test('sweeps until nothing is left, and logs it with the phrase of the rollout guide', async () => {
  const { janitor, lines, sweep } = employ([
    { expired: 60, cleared: 4, more: true },
    { expired: 1, cleared: 2, more: false },
  ]);
  await jest.advanceTimersByTimeAsync(1_000);
  expect(sweep).toHaveBeenCalledTimes(2);
  expect(lines).toMatchObject([
    {
      msg: 'Cache cleanup',
      expired: 61,
      cleared: 6,
      evicted: 0,
      entries: 7,
      bytes: 900,
      memoryBytes: 12_345,
    },
  ]);
  await janitor.close();
});

test('logs the evictions since the last sweep, also after the cache Redis restarted empty', async () => {
  const { janitor, lines } = employ([], [100, 130, 5]);
  await jest.advanceTimersByTimeAsync(3_000);
  expect(lines.map(({ evicted }) => evicted)).toEqual([0, 30, 0]);
  await janitor.close();
});

test('sweeps again after a failed sweep', async () => {
  const { janitor, lines, sweep } = employ([]);
  sweep.mockRejectedValueOnce(new Error('away'));
  await jest.advanceTimersByTimeAsync(2_000);
  expect(lines.map(({ msg }) => msg)).toEqual(['Cache sweep failed; retrying', 'Cache cleanup']);
  await janitor.close();
});
