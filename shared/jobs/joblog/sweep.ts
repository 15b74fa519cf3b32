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
import { type Relays } from './relays.ts';
import { periodically } from '../../platform/util/periodically.ts';

/**
 * Somebody ends every job: the overdue ones, those that were cancelled and whose holder and canceller are gone, and the
 * foreground ones that nobody reads any more.
 *
 * Every router and worker runs it; a lease lets one of them sweep at a time. All that it does is safe to do twice. While the job Redis
 * has just come back, only deadlines and requests to cancel count.
 */
export interface Sweep {
  start(): void;
  close(): Promise<void>;
}

export interface SweepOptions {
  redis: Redis;
  keys: JobKeys;
  jobLog: JobLog;
  relays: Pick<Relays, 'begin'>;
  leases: ReaderLeases;
  steadiness: Pick<Steadiness, 'isSteady'>;
  log: Logger;
}

const EVERY_MS = 1_000;
/** The holder of the fence ends an overdue job himself; the sweep comes after him. */
const OVERDUE_GRACE_MS = 2_000;
const JOBS_AT_ONCE = 200;
/** Open jobs that one sweep looks at; with more, it takes turns, so that its cost does not grow with their number. */
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
    onError: (error) => log.warn({ err: error }, 'Sweep failed; it will run again'),
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
        if (ended.kind === 'over') await redis.zrem(open, jobId); // it had ended, or its record is gone
        log.warn({ jobId, result: ended.kind }, 'Overdue job ended by the sweep');
      });
    }
  }
}

/** A job that cannot be ended, since its log cannot be read, keeps no other one from its end. */
async function alone({ log }: SweepOptions, jobId: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    log.error({ err: error, jobId }, 'The sweep could not see to a job; it will try again');
  }
}

/** Reads the open sets in turn, each by its cursor: where the last look ended, the next one goes on. */
function createRounds(redis: Redis, sets: readonly string[]) {
  let set = 0;
  let cursor = '0';

  /** A job may come twice in a round, when its set changes meanwhile. */
  async function page(): Promise<string[]> {
    const [next, found] = await redis.zscan(sets[set] ?? '', cursor, 'COUNT', JOBS_AT_ONCE);
    cursor = next;
    if (cursor === '0') set = (set + 1) % sets.length;
    return found.filter((_, at) => at % 2 === 0); // members and scores
  }

  return {
    /** Some more than that many at most, and each set at most once. */
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

/** Somebody asked for its end, and neither the holder of the fence nor he himself has done it. */
async function endCancelled(options: SweepOptions, jobId: string, by: string, at: number): Promise<void> {
  if (options.jobLog.now() - at < HOLDER_GRACE_MS * 2) return;
  const ended = await endUnfenced(options, jobId, { status: 'cancelled', by: cancelledBy.parse(by) });
  options.log.warn({ jobId, result: ended.kind }, 'Cancelled job ended by the sweep');
}

interface Readers {
  /** Channels, separated by spaces. */
  readers: string;
  /** Since when there has been none, in milliseconds since the epoch; 0: there is one. */
  left: number;
  /** Milliseconds. */
  graceMs: number;
}

/** Readers of dead processes leave; a job that has had no reader for too long is cancelled. */
async function endIfUnread(
  options: SweepOptions,
  jobId: string,
  { readers, left, graceMs }: Readers,
): Promise<void> {
  const { jobLog, leases, steadiness, log } = options;
  const dead = await leases.deadAmong(readers.split(' ').filter((channel) => channel !== ''));
  const isAbandoned = left > 0 && jobLog.now() - left > graceMs;
  if (dead.length === 0 && !isAbandoned) return;
  // After the leases were read: their holders could not renew them, nor could a client come back, while Redis was away.
  if (!(await steadiness.isSteady())) return;
  const departures = await Promise.all(dead.map((reader) => jobLog.leave(jobId, reader)));
  if (!isAbandoned && !departures.includes('cancelling')) return;
  log.warn({ jobId }, 'Nobody reads this job any more; it is cancelled');
  await cancelJob(options, jobId, 'disconnect');
}
