import { z } from 'zod';
import { type Redis } from '../../platform/redis/connect.ts';
import { defineScript } from '../../platform/redis/script.ts';

export interface LimiterRequest {
  jobId: string;
  userHash: string;
  /** Milliseconds since the epoch: when it has ended in any case. */
  deadlineAt: number;
  /** Of his jobs, so many may be open. */
  queuedJobs: number | undefined;
  /** Of its request and documents. */
  bytes: number;
  /** So many bytes all open jobs of the user may have together. One that is alone is let in whatever its size. */
  openBytes: number;
  /** Milliseconds that it may wait for its turn; undefined: as long as it takes. */
  longestWaitMs: number | undefined;
  /** It was refused before, and comes when it was told to. */
  returning?: boolean;
}

export type LimiterAnswer =
  | { kind: 'in' }
  | {
      /** The reason: the user's limit of jobs or of bytes, the limit of all open jobs, or too long a wait. */
      kind: 'limit' | 'bytes' | 'full' | 'wait';
      /** Milliseconds until a place is expected that nobody else was told of. */
      retryAfterMs: number;
      /** Of his own jobs, those that are before it. */
      ahead: number;
      /** Milliseconds that it would have waited. */
      waitMs: number;
    };

/** The door before the queue, in the job Redis (`scripts/`): how many jobs are open, of whom, and how fast they end. */
export interface OpenJobLimiter {
  enter(entrant: LimiterRequest): Promise<LimiterAnswer>;
  /** The job has ended. `slots`: how many jobs run at a time, where that is known. */
  leave(jobId: string, userHash: string, slots?: number): Promise<void>;
  /** It was not accepted after all, which says nothing of the pace. */
  undo(jobId: string, userHash: string): Promise<void>;
}

/** A job that was let in is let go by its end; where nobody tells of that, so long behind its deadline. Milliseconds. */
const GRACE_MS = 60_000;

const reply = z.union([
  z.tuple([z.literal('in')]),
  z.tuple([z.enum(['limit', 'bytes', 'full', 'wait']), z.int(), z.int(), z.int()]),
]);
const script = (name: string) => new URL(`scripts/${name}.lua`, import.meta.url);

/** `places`: how many jobs of all users may be open. */
export function createOpenJobLimiter(redis: Redis, redisPrefix: string, places: number): OpenJobLimiter {
  const keys = ['open', 'users', 'pace', 'promised', 'bytes'].map((name) => `${redisPrefix}:{gate}:${name}`);
  const enter = defineScript(redis, script('enter'), [script('prelude')]);
  const leave = defineScript(redis, script('leave'), [script('prelude')]);
  return {
    enter: async ({ jobId, userHash, deadlineAt, queuedJobs, longestWaitMs, returning = false, ...size }) => {
      const limits = [
        queuedJobs ?? '',
        places,
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
