import { Worker } from 'node:worker_threads';
import { type Job, WaitingError } from 'bullmq';
import { type Config } from '../../platform/config/schema.ts';
import { type Logger } from '../../platform/log/logger.ts';
import { type Redis } from '../../platform/redis/connect.ts';
import { workerTimings } from './names.ts';
import { createRenewLocks, type JobLock, type SlotLease, lockName } from './renew-locks.ts';

/**
 * The BullMQ locks of the jobs that this process runs. A thread of its own renews them (`lock-thread.ts`), so that work which blocks
 * the event loop costs no other job of this process its lock. Workers set `skipLockRenewal`.
 *
 * Invariants:
 * - A lock is renewed from the beginning of its job's work to its end. The thread hears of the end up to a second
 *   later; a job that has ended has no lock that could be renewed.
 * - The thread renews nothing once the event loop has stood still for a minute: what hangs for ever loses its jobs. A process that is
 *   stopped (SIGSTOP) stops with its threads.
 * - A lost lock is told to the main thread once, which gives the attempt up; the thread does not renew it again.
 * - A thread that died is replaced within a second, and knows the jobs that run. `close` leaves no thread behind.
 */
export interface JobLocks {
  /** Resolves when the thread runs. Jobs that are fetched before may lose their locks. */
  ready(): Promise<void>;
  /**
   * Renews the job's lock during the work. Where the lock was lost before it begins (the event loop stood still since the job was
   * fetched), it does not begin, and BullMQ leaves the job alone.
   */
  during<T>(job: LockedJob, token: string | undefined, work: () => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export type LockedJob = Pick<Job, 'id' | 'queueName' | 'processedOn'>;

interface JobLocksOptions {
  redis: Redis;
  /** With what the thread connects and logs. */
  config: Pick<Config, 'REDIS_URL' | 'REDIS_PREFIX' | 'LOG_LEVEL' | 'LOG_FILE'>;
  /** The service's name, for the thread's log lines. */
  service: string;
  /** What else is to live for as long as this process does. */
  lease?: SlotLease;
  /** Other workers may have these jobs. */
  onLost?: (jobIds: string[]) => void;
  /** Milliseconds without a sign of life from the event loop after which nothing is renewed. Default: 60,000. */
  longestSilenceMs?: number;
  log: Logger;
}

export interface LockThreadSettings extends Pick<JobLocksOptions, 'config' | 'service' | 'lease'> {
  longestSilenceMs: number;
}

export type FromLockThread = { kind: 'ready' } | { kind: 'lost'; locks: JobLock[] };

/** What the thread hears: which jobs have ended since the last message, and which one begins. Each message is a sign of life. */
export interface ToLockThread {
  ended: JobLock[];
  begun?: JobLock;
}

const LONGEST_SILENCE_MS = 60_000;

export function createJobLocks({
  redis,
  config: { REDIS_URL, REDIS_PREFIX, LOG_LEVEL, LOG_FILE },
  service,
  lease,
  onLost,
  longestSilenceMs = LONGEST_SILENCE_MS,
  log,
}: JobLocksOptions): JobLocks {
  const renew = createRenewLocks(redis, REDIS_PREFIX);
  const config = { REDIS_URL, REDIS_PREFIX, LOG_LEVEL, LOG_FILE };
  const settings: LockThreadSettings = { config, service, longestSilenceMs, ...(lease && { lease }) };
  const held = new Map<string, JobLock>();
  /** Not told yet. What is renewed for a moment longer is lost or another token's, and neither is held here. */
  let ended: JobLock[] = [];
  const running = Promise.withResolvers<undefined>();
  let thread: Worker | undefined = start();

  function start(): Worker {
    const started = new Worker(new URL('./lock-thread.ts', import.meta.url), { workerData: settings });
    started.on('message', (message: FromLockThread) => {
      if (message.kind === 'ready') running.resolve(undefined);
      else giveUp(message.locks.filter(isHeld));
    });
    started.on('error', (error) => log.error({ err: error }, 'The thread that renews locks failed'));
    started.on('exit', () => {
      if (thread === started) thread = undefined;
    });
    for (const begun of held.values()) started.postMessage({ ended: [], begun } satisfies ToLockThread);
    return started;
  }

  function giveUp(lost: readonly JobLock[]): void {
    const jobIds = lost.map(({ jobId }) => jobId);
    if (jobIds.length === 0) return;
    log.warn({ jobIds }, 'Locks were lost; other workers may have these jobs');
    onLost?.(jobIds);
  }

  function tell(begun?: JobLock): void {
    thread?.postMessage({ ended, ...(begun && { begun }) } satisfies ToLockThread);
    ended = [];
  }

  /** A job may have been lost and fetched again: then it is held by another token. */
  function isHeld(lock: JobLock): boolean {
    return held.get(lockName(lock))?.token === lock.token;
  }

  function end(lock: JobLock): void {
    if (!isHeld(lock)) return;
    held.delete(lockName(lock));
    ended.push(lock);
  }

  const alive = setInterval(() => {
    thread ??= start();
    tell();
  }, workerTimings.lockRenewTime);

  /** Whether a job that was fetched some time ago is still this process's. */
  async function isLost(lock: JobLock, { processedOn = 0 }: LockedJob): Promise<boolean> {
    if (Date.now() - processedOn < workerTimings.lockRenewTime) return false;
    const lost = await renew([lock]).catch((error: unknown) => {
      log.warn({ err: error, jobId: lock.jobId }, 'Cannot check the lock of a job that was fetched late');
      return [];
    });
    return lost.length > 0;
  }

  return {
    ready: () => running.promise,
    during: async (job, token = '', work) => {
      const lock = { queue: job.queueName, jobId: job.id ?? '', token };
      held.set(lockName(lock), lock);
      tell(lock);
      try {
        if (await isLost(lock, job)) throw new WaitingError();
        return await work();
      } finally {
        end(lock);
      }
    },
    close: async () => {
      clearInterval(alive);
      const last = thread;
      thread = undefined;
      await last?.terminate();
    },
  };
}
