import { cancelledBy } from '../../contracts/job-event.ts';
import { TurnoutError } from '../../platform/errors/turnout-error.ts';
import { type Logger } from '../../platform/log/logger.ts';
import { type Redis } from '../../platform/redis/connect.ts';
import { type JobKeys } from '../../platform/redis/keys.ts';
import { type Steadiness } from '../../platform/redis/steadiness.ts';
import { cancelJob, HOLDER_GRACE_MS } from './cancellation.ts';
import { endUnfenced } from './ending.ts';
import { type JobLog } from './job-log.ts';
import { type ReaderLeases } from './reader-leases.ts';
import { type Relays } from './outbox.ts';
import { periodically } from '../../platform/util/periodically.ts';

/**
 * The sweep ends jobs that no other process ends: overdue jobs, cancelled jobs whose holder and canceller have died, and foreground jobs
 * without readers.
 *
 * Every router and worker runs it; a lease lets one of them sweep at a time. Each of its steps is safe to repeat. Shortly after an outage
 * of the job Redis, it ends jobs only for their deadlines and for cancellation requests.
 */
export interface Sweep {
  start(): void;
  close(): Promise<void>;
}

export interface SweepOptions {
  redis: Redis;
  keys: JobKeys;
  jobLog: JobLog;
  relays: Relays;
  leases: ReaderLeases;
  steadiness: Pick<Steadiness, 'isSteady'>;
  log: Logger;
}

const EVERY_MS = 1_000;
/** The holder of the fence ends an overdue job itself. The sweep waits this long for it. */
const OVERDUE_GRACE_MS = 2_000;
const JOBS_AT_ONCE = 200;
/** Open jobs that one sweep checks. With more, successive sweeps take turns, so the cost of a sweep is bounded. */
const JOBS_PER_SWEEP = 2_000;

export function createSweep(options: SweepOptions): Sweep {
  const { redis, keys, log } = options;
  const rounds = createRounds(redis, keys.openSets());

  async function sweep(): Promise<void> {
    const mine = await redis.set(keys.sweepLease(), '1', 'PX', EVERY_MS - 100, 'NX');
    if (mine === null) return;
    await endOverdue(options);
    const jobs = await rounds.next(JOBS_PER_SWEEP);
    for (let from = 0; from < jobs.length; from += JOBS_AT_ONCE) {
      const some = jobs.slice(from, from + JOBS_AT_ONCE);
      await Promise.all(some.map((jobId) => alone(options, jobId, () => tend(options, jobId))));
    }
  }

  const work = periodically({
    everyMs: EVERY_MS,
    run: sweep,
    onError: (error) => log.warn({ err: error }, 'Sweep failed; retrying in 1 s'),
  });
  return {
    start: work.start,
    close: work.close,
  };
}

async function endOverdue(options: SweepOptions): Promise<void> {
  const { redis, keys, jobLog, log } = options;
  const until = jobLog.now() - OVERDUE_GRACE_MS;
  for (const open of keys.openSets()) {
    const overdue = await redis.zrangebyscore(open, '-inf', until, 'LIMIT', 0, JOBS_AT_ONCE);
    for (const jobId of overdue) {
      await alone(options, jobId, async () => {
        const ended = await endUnfenced(options, jobId, {
          status: 'failed',
          error: new TurnoutError('deadline_exceeded'),
        });
        if (ended.kind === 'over') await redis.zrem(open, jobId); // it had ended before, or its record is gone
        log.warn({ jobId, result: ended.kind }, 'Overdue job ended by the sweep');
      });
    }
  }
}

/** Isolates failures: a job whose log cannot be read does not stop the sweep from ending other jobs. */
async function alone({ log }: SweepOptions, jobId: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    log.error({ err: error, jobId }, 'The sweep failed for a job; the next sweep will retry');
  }
}

/** Reads the open sets in turn with ZSCAN. Each read continues where the last one ended. */
function createRounds(redis: Redis, sets: readonly string[]) {
  let set = 0;
  let cursor = '0';

  /** A job may appear twice in a round when its set changes meanwhile. */
  async function page(): Promise<string[]> {
    const [next, found] = await redis.zscan(sets[set] ?? '', cursor, 'COUNT', JOBS_AT_ONCE);
    cursor = next;
    if (cursor === '0') set = (set + 1) % sets.length;
    return found.filter((_, at) => at % 2 === 0); // members and scores
  }

  return {
    /** Reads pages until it has at least `atMost` jobs or has read each set once; the last page may exceed `atMost`. */
    next: async (atMost: number): Promise<string[]> => {
      const jobs: string[] = [];
      for (let ended = 0; ended < sets.length && jobs.length < atMost;) {
        jobs.push(...(await page()));
        if (cursor === '0') ended += 1;
      }
      return jobs;
    },
  };
}

async function tend(options: SweepOptions, jobId: string): Promise<void> {
  const record = options.keys.record(jobId);
  const [cancel, cancelAt, foreground, readers, left, graceMs] = await options.redis.hmget(
    record,
    'cancel',
    'cancel_at',
    'foreground',
    'readers',
    'left',
    'patience',
  );
  if (cancel) await endCancelled(options, jobId, cancel, Number(cancelAt));
  else if (foreground === '1')
    await endIfUnread(options, jobId, {
      readers: readers ?? '',
      left: Number(left),
      graceMs: Number(graceMs),
    });
}

/** Ends a cancelled job that neither the holder of the fence nor the canceller has ended in time. */
async function endCancelled(options: SweepOptions, jobId: string, by: string, at: number): Promise<void> {
  if (options.jobLog.now() - at < HOLDER_GRACE_MS * 2) return;
  const ended = await endUnfenced(options, jobId, { status: 'cancelled', by: cancelledBy.parse(by) });
  options.log.warn({ jobId, result: ended.kind }, 'Cancelled job ended by the sweep');
}

interface Readers {
  /** Channels, separated by spaces. */
  readers: string;
  /** Since when the job has had no reader, in milliseconds since the epoch; 0 while it has one. */
  left: number;
  /** Milliseconds. */
  graceMs: number;
}

/** Removes the readers of dead processes, and cancels a job that has had no reader for longer than its grace period. */
async function endIfUnread(
  options: SweepOptions,
  jobId: string,
  { readers, left, graceMs }: Readers,
): Promise<void> {
  const { jobLog, leases, steadiness, log } = options;
  const dead = await leases.deadAmong(readers.split(' ').filter((channel) => channel !== ''));
  const isAbandoned = left > 0 && jobLog.now() - left > graceMs;
  if (dead.length === 0 && !isAbandoned) return;
  // Checked after the leases were read: during an outage of Redis, processes could not renew leases and clients could not reconnect.
  if (!(await steadiness.isSteady())) return;
  const departures = await Promise.all(dead.map((reader) => jobLog.leave(jobId, reader)));
  if (!isAbandoned && !departures.includes('cancelling')) return;
  log.warn({ jobId }, 'Foreground job without readers cancelled by the sweep');
  await cancelJob(options, jobId, 'disconnect');
}
