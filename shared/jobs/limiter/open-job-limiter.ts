import { z } from 'zod';
import { type Redis } from '../../platform/redis/connect.ts';
import { defineScript } from '../../platform/redis/script.ts';

export interface LimiterRequest {
  jobId: string;
  userHash: string;
  /** The job's deadline; milliseconds since the epoch. */
  deadlineAt: number;
  /** How many open jobs the user may have; undefined: no limit. */
  queuedJobs: number | undefined;
  /** Size of the job's request and documents. */
  bytes: number;
  /** How many bytes all open jobs of the user may have together. A user's only job is admitted at any size. */
  openBytes: number;
  /** How long the job may wait for a worker, in milliseconds; undefined: no limit. */
  longestWaitMs: number | undefined;
  /** The client retries a refused request after the time that it was given. */
  returning?: boolean;
}

export type LimiterAnswer =
  | { kind: 'in' }
  | {
      /** The reason: the user's limit of jobs or of bytes, the limit of all open jobs, or too long a wait. */
      kind: 'limit' | 'bytes' | 'full' | 'wait';
      /** Milliseconds until capacity is expected that no other refused request of the user was promised. */
      retryAfterMs: number;
      /** How many of the user's own jobs are ahead of it. */
      ahead: number;
      /** How long the job would have waited, in milliseconds. */
      waitMs: number;
    };

/** Limits open jobs before they are queued. The job Redis (`scripts/`) counts open jobs by user and measures how fast jobs end. */
export interface OpenJobLimiter {
  enter(entrant: LimiterRequest): Promise<LimiterAnswer>;
  /** The job has ended. `slots`: the number of all workers' slots, where known. */
  leave(jobId: string, userHash: string, slots?: number): Promise<void>;
  /** The job was not accepted after all. This does not count towards the measured pace. */
  undo(jobId: string, userHash: string): Promise<void>;
}

/** A job leaves the limiter when it ends. If its end is never reported, it leaves this long after its deadline. Milliseconds. */
const GRACE_MS = 60_000;

const reply = z.union([
  z.tuple([z.literal('in')]),
  z.tuple([z.enum(['limit', 'bytes', 'full', 'wait']), z.int(), z.int(), z.int()]),
]);
const script = (name: string) => new URL(`scripts/${name}.lua`, import.meta.url);

/** `places`: how many open jobs all users together may have. */
export function createOpenJobLimiter(redis: Redis, redisPrefix: string, maxOpenJobs: number): OpenJobLimiter {
  const keys = ['open', 'users', 'pace', 'promised', 'bytes'].map((name) => `${redisPrefix}:{gate}:${name}`);
  const enter = defineScript(redis, script('enter'), [script('prelude')]);
  const leave = defineScript(redis, script('leave'), [script('prelude')]);
  return {
    enter: async ({ jobId, userHash, deadlineAt, queuedJobs, longestWaitMs, returning = false, ...size }) => {
      const limits = [
        queuedJobs ?? '',
        maxOpenJobs,
        longestWaitMs ?? '',
        returning ? '1' : '0',
        size.bytes,
        size.openBytes,
      ];
      const args = [jobId, userHash, deadlineAt + GRACE_MS, ...limits];
      const [kind, retryAfterMs = 0, ahead = 0, waitMs = 0] = reply.parse(await enter(keys, args));
      return kind === 'in' ? { kind } : { kind, retryAfterMs, ahead, waitMs };
    },
    leave: async (jobId, userHash, slots) => {
      await leave(keys, [jobId, userHash, slots ?? '', '1']);
    },
    undo: async (jobId, userHash) => {
      await leave(keys, [jobId, userHash, '', '']);
    },
  };
}
