import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { silentLogger } from '../../platform/log/logger.ts';
import { type Redis } from '../../platform/redis/connect.ts';
import { jobKeys } from '../../platform/redis/keys.ts';
import { type JobLog, type JobView } from './job-log.ts';
import { createSweep } from './sweep.ts';

const keys = jobKeys('t');
const UNREADABLE = `job_${'0'.repeat(32)}`;
const SAME_BUCKET = `job_${'1'.repeat(30)}00`;
const OTHER_BUCKET = `job_${'1'.repeat(30)}3f`;
const JOBS = [UNREADABLE, SAME_BUCKET, OTHER_BUCKET];

const relays = { begin: () => undefined };

const view: JobView = {
  state: 'queued',
  owner: 'user-1',
  lastSequence: 0,
  deadlineAt: 0,
  createdAt: 0,
  userHash: 'u',
  model: 'm',
  entries: [],
};

/** A job log with one unreadable job. */
function world() {
  const ended: string[] = [];
  const jobLog = {
    now: Date.now,
    read: (jobId: string) =>
      jobId === UNREADABLE ? Promise.reject(new Error('no such event')) : Promise.resolve(view),
    finish: (jobId: string) => {
      ended.push(jobId);
      return Promise.resolve({ kind: 'over', state: 'missing' });
    },
  } as unknown as JobLog;
  return { ended, jobLog };
}

/** Open jobs as the sweep finds them: overdue, or cancelled by a client some time ago. */
function redisWith(found: 'overdue' | 'cancelled') {
  const jobsIn = (set: string) => JOBS.filter((jobId) => keys.open(jobId) === set);
  return {
    set: () => Promise.resolve('OK'),
    zrem: () => Promise.resolve(1),
    zrangebyscore: (set: string) => Promise.resolve(found === 'overdue' ? jobsIn(set) : []),
    zscan: (set: string) =>
      Promise.resolve(['0', found === 'cancelled' ? jobsIn(set).flatMap((jobId) => [jobId, '1']) : []]),
    hmget: () => Promise.resolve(['client', '1', '0', '', '', '']),
  } as unknown as Redis;
}

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

test.each(['overdue', 'cancelled'] as const)(
  'among %s jobs, one with an unreadable log does not keep the sweep from ending the others',
  async (found) => {
    const { ended, jobLog } = world();
    const leases = { deadAmong: () => Promise.resolve([]) };
    const steadiness = { isSteady: () => Promise.resolve(true) };
    const redis = redisWith(found);
    const sweep = createSweep({ redis, keys, jobLog, relays, leases, steadiness, log: silentLogger });
    sweep.start();
    await jest.advanceTimersByTimeAsync(1_500);
    await sweep.close();
    expect(ended).toEqual([SAME_BUCKET, OTHER_BUCKET]);
  },
);

test.each([
  ['has just recovered', false, []],
  ['has been available', true, [UNREADABLE, SAME_BUCKET, OTHER_BUCKET]],
])('when Redis %s, jobs without a live reader are cancelled: %p', async (_what, isSteady, cancelled) => {
  const asked: string[] = [];
  const jobLog = {
    now: Date.now,
    leave: () => Promise.resolve('cancelling'),
    cancel: (jobId: string) => {
      asked.push(jobId);
      return Promise.resolve('cancelled');
    },
  } as unknown as JobLog;
  const redis = Object.assign(redisWith('cancelled'), {
    hmget: () => Promise.resolve(['', '', '1', 'dead-channel', '0', '0']),
  });
  const leases = { deadAmong: (channels: readonly string[]) => Promise.resolve([...channels]) };
  const steadiness = { isSteady: () => Promise.resolve(isSteady) };
  const sweep = createSweep({ redis, keys, jobLog, relays, leases, steadiness, log: silentLogger });
  sweep.start();
  await jest.advanceTimersByTimeAsync(1_500);
  await sweep.close();
  expect(asked.sort()).toEqual([...cancelled].sort());
});

test('one sweep checks a bounded number of open jobs, and the next sweeps check the others', async () => {
  const jobs = Array.from({ length: 5_000 }, (_, at) => `job_${String(at).padStart(30, '0')}00`);
  const looked: string[] = [];
  const perSweep: number[] = [];
  const redis = {
    set: () => (perSweep.push(0), Promise.resolve('OK')),
    zrangebyscore: () => Promise.resolve([]),
    zscan: (set: string, cursor: string) => {
      if (keys.open(jobs[0] ?? '') !== set) return Promise.resolve(['0', []]);
      const from = Number(cursor);
      const next = from + 200 < jobs.length ? String(from + 200) : '0';
      return Promise.resolve([next, jobs.slice(from, from + 200).flatMap((jobId) => [jobId, '1'])]);
    },
    hmget: (record: string) => {
      looked.push(record);
      perSweep[perSweep.length - 1] = (perSweep.at(-1) ?? 0) + 1;
      return Promise.resolve(['', '', '0', '', '', '']);
    },
  } as unknown as Redis;
  const leases = { deadAmong: () => Promise.resolve([]) };
  const steadiness = { isSteady: () => Promise.resolve(true) };
  const sweep = createSweep({
    redis,
    keys,
    jobLog: world().jobLog,
    relays,
    leases,
    steadiness,
    log: silentLogger,
  });
  sweep.start();
  await jest.advanceTimersByTimeAsync(3_500);
  await sweep.close();
  expect(Math.max(...perSweep)).toBeLessThanOrEqual(2_200);
  expect(new Set(looked).size).toBe(jobs.length);
});
