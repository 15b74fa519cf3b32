import { Worker } from 'node:worker_threads';
import { type Job, WaitingError } from 'bullmq';
import { type Config } from '../../platform/config/schema.ts';
import { type Logger } from '../../platform/log/logger.ts';
import { type Redis } from '../../platform/redis/connect.ts';
import { workerTimings } from './names.ts';
import { createLockTable } from './lock-table.ts';
import { createRenewLocks, type JobLock, type SlotLease, lockName } from './renew-locks.ts';

/**
 * The BullMQ locks of the jobs that this process runs. A dedicated thread renews them (`lock-thread.ts`), so no job loses its lock because
 * another one blocks the event loop. Workers set `skipLockRenewal`.
 *
 * Invariants:
 * - A lock is renewed from the start of its job's work to the end: the thread reads the locks in `lock-table.ts`. A renewal that overlaps
 *   with the end is safe: an ended job has no lock that could be renewed.
 * - The thread renews nothing after the event loop has been blocked for a minute, so a process that hangs loses its jobs. A process that is
 *   stopped (SIGSTOP) stops with its threads.
 * - The thread reports a lost lock to the main thread once, which gives the attempt up; the thread does not renew it again.
 * - A thread that died is replaced within a second, and the new one gets the running jobs. `close` leaves no thread behind.
 */
export interface JobLocks {
  /** Resolves when the thread runs. Jobs that are fetched before that may lose their locks. */
  ready(): Promise<void>;
  /**
   * Renews the job's lock during the work. If the lock was lost before the work begins (the event loop was blocked after the job was
   * fetched), the work does not begin; this throws BullMQ's `WaitingError`, so BullMQ does not change the job's state.
   */
  during<T>(job: LockedJob, token: string | undefined, work: () => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export type LockedJob = Pick<Job, 'id' | 'queueName' | 'processedOn'>;

interface JobLocksOptions {
  redis: Redis;
  /** The thread's settings for its connection and its log. */
  config: Pick<Config, 'REDIS_URL' | 'REDIS_PREFIX' | 'LOG_LEVEL' | 'LOG_FILE'>;
  /** The service's name, for the thread's log lines. */
  service: string;
  /** A lease that the thread renews as well, for as long as this process is alive. */
  lease?: SlotLease;
  /** Called with jobs whose locks were lost. Other workers may run them. */
  onLost?: (jobIds: string[]) => void;
  /** After the event loop has been silent for this many milliseconds, nothing is renewed. Default: 60,000. */
  longestSilenceMs?: number;
  log: Logger;
}

export interface LockThreadSettings extends Pick<JobLocksOptions, 'config' | 'service' | 'lease'> {
  longestSilenceMs: number;
  /** Shared memory with one number, which changes every second while the event loop runs. */
  heartbeat: Int32Array<SharedArrayBuffer>;
  /** The pages of the lock table. Further pages arrive as messages. */
  pages: SharedArrayBuffer[];
}

export type FromLockThread = { kind: 'ready' } | { kind: 'lost'; locks: JobLock[] };

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
  const heartbeat = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  const table = createLockTable((page) => thread?.postMessage(page));
  const held = new Map<string, JobLock>();
  const running = Promise.withResolvers<undefined>();
  let thread: Worker | undefined = start();

  function start(): Worker {
    const pages = [...table.pages];
    const settings: LockThreadSettings = {
      config,
      service,
      longestSilenceMs,
      heartbeat,
      pages,
      ...(lease && { lease }),
    };
    const started = new Worker(new URL('./lock-thread.ts', import.meta.url), { workerData: settings });
    started.on('message', (message: FromLockThread) => {
      if (message.kind === 'ready') running.resolve(undefined);
      else giveUp(message.locks.filter(isHeld));
    });
    started.on('error', (error) =>
      log.error({ err: error }, 'The lock renewal thread failed; restarting it within 1 s'),
    );
    started.on('exit', () => {
      if (thread === started) thread = undefined;
    });
    return started;
  }

  function giveUp(lost: readonly JobLock[]): void {
    const jobIds = lost.map(({ jobId }) => jobId);
    if (jobIds.length === 0) return;
    log.warn({ jobIds }, 'Job locks were lost; other workers may run these jobs');
    onLost?.(jobIds);
  }

  /** A job may have been lost and fetched again; then this process holds it with another token. */
  function isHeld(lock: JobLock): boolean {
    return held.get(lockName(lock))?.token === lock.token;
  }

  const alive = setInterval(() => {
    thread ??= start();
    Atomics.add(heartbeat, 0, 1);
  }, workerTimings.lockRenewTime);

  /** Whether another worker has taken the job over. Only jobs that were fetched some time ago are checked in Redis. */
  async function isLost(lock: JobLock, { processedOn = 0 }: LockedJob): Promise<boolean> {
    if (Date.now() - processedOn < workerTimings.lockRenewTime) return false;
    const lost = await renew([lock]).catch((error: unknown) => {
      log.warn(
        { err: error, jobId: lock.jobId },
        'Cannot check the lock of a job that started late; running it',
      );
      return [];
    });
    return lost.length > 0;
  }

  return {
    ready: () => running.promise,
    during: async (job, token = '', work) => {
      const lock = { queue: job.queueName, jobId: job.id ?? '', token };
      const free = table.add(lock);
      held.set(lockName(lock), lock);
      try {
        if (await isLost(lock, job)) throw new WaitingError();
        return await work();
      } finally {
        free();
        if (isHeld(lock)) held.delete(lockName(lock));
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
