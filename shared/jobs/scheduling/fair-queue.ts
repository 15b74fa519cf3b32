import { z } from 'zod';
import { userDigest } from '../../platform/ids.ts';
import { type Scheduled } from '../queues/dispatch.ts';
import { LLM_QUEUE, bullPrefix } from '../queues/names.ts';
import { type SlotLease } from '../queues/renew-locks.ts';
import { type Redis } from '../../platform/redis/connect.ts';
import { defineScript } from '../../platform/redis/script.ts';
import { type Priority, priorities, rankOf } from '../../contracts/priority.ts';

export interface StagedJob extends Scheduled {
  /** Returned by the step that releases the job. */
  payload: string;
}

/** Changes since the last step. */
export interface SchedulerStep {
  stage?: readonly StagedJob[];
  /** Jobs that have ended. `tokens`: the actual tokens. */
  leave?: readonly { jobId: string; tokens?: number | undefined }[];
  /** Jobs that the process is running. */
  renew?: readonly string[];
  /** Released jobs that are open and that BullMQ will not run; they are released again. */
  lost?: readonly string[];
  /** The slots of a worker process; 0 when it stops. */
  worker?: { id: string; slots: number } | undefined;
}

export interface Released {
  /** The payloads of the jobs to hand over now. Call `confirm` afterwards, or the jobs are released again. */
  payloads: string[];
  /** How many jobs are still staged. */
  staged: number;
  /** The slots of all live workers. */
  slots: number;
  /** Jobs that were confirmed some time ago. Check whether BullMQ still has them. */
  due: string[];
}

/** The staged jobs, by class. */
export interface Backlog {
  jobs: Readonly<Record<Priority, number>>;
  /** The estimated tokens of all staged jobs. */
  cost: number;
}

/**
 * The queue between the router and BullMQ, in the job Redis. It gives each user a fair share of the workers' capacity. The states of a job
 * are described in `scripts/prelude.lua`. Any process may make a step; all processes share the same state.
 */
export interface FairQueue {
  step(step: SchedulerStep): Promise<Released>;
  /** Records that the jobs' BullMQ nodes exist. The payloads are kept until the jobs end, in case a node is lost. */
  confirm(jobIds: readonly string[]): Promise<void>;
  /** True for a job that is staged or being released. For confirmed jobs, ask BullMQ. */
  has(jobId: string): Promise<boolean>;
  backlog(): Promise<Backlog>;
}

export interface FairQueueOptions {
  redis: Redis;
  redisPrefix: string;
  /** How many jobs are released beyond the number of slots, in percent of it, so that a free slot gets a job at once. */
  aheadPercent: number;
  /** One user's jobs get at most this share of all slots, in percent. */
  userPercent: number;
  /** This share of all slots, in percent, is reserved for interactive jobs. */
  interactivePercent: number;
  /** How long a background or batch job at the head of its user's queue yields to interactive jobs, in milliseconds. */
  ageingMs: number;
}

/** How many jobs one step releases at most. */
export const MOST_AT_ONCE = 200;
/** A worker renews its lease each second. Milliseconds. */
const WORKER_LEASE_MS = 5_000;

/** The lease during which a worker's slots count. The worker's scheduler steps create it. */
export function workerLease(redisPrefix: string, workerId: string): SlotLease {
  return { key: `${keyOf(redisPrefix)}:workers`, member: workerId, leaseMs: WORKER_LEASE_MS };
}

function keyOf(redisPrefix: string): string {
  return `${bullPrefix(redisPrefix)}:fair`;
}

const stepReply = z.tuple([z.int(), z.int(), z.int()], z.string());
const knownJob = z.looseObject({ released: z.boolean().optional() });
const script = (name: string) => new URL(`scripts/${name}.lua`, import.meta.url);

export function createFairQueue({ redis, redisPrefix, ...options }: FairQueueOptions): FairQueue {
  const { aheadPercent, ageingMs, userPercent, interactivePercent } = options;
  const own = keyOf(redisPrefix);
  const keys = [own, `${bullPrefix(redisPrefix)}:${LLM_QUEUE}`];
  const advance = defineScript(redis, script('advance'), [script('prelude')]);

  return {
    step: async ({ stage = [], leave = [], renew = [], lost = [], worker }) => {
      const work = {
        stage: stage.map(toJob),
        leave: leave.map(({ jobId, tokens }) => ({ id: jobId, tokens })),
        renew,
        lost,
      };
      const policy = [MOST_AT_ONCE, aheadPercent, ageingMs, userPercent, 100 - interactivePercent];
      const teller = [worker?.id ?? '', worker?.slots ?? 0, WORKER_LEASE_MS];
      const payloads = stage.map(({ payload }) => payload);
      const args = [...policy, ...teller, JSON.stringify(work), ...payloads];
      const [staged, slots, released, ...texts] = stepReply.parse(await advance(keys, args));
      return { payloads: texts.slice(0, released), staged, slots, due: texts.slice(released) };
    },
    confirm: async (jobIds) => {
      if (jobIds.length === 0) return;
      await redis.zrem(`${own}:releasing`, ...jobIds);
    },
    has: async (jobId) => {
      const [known, releasing] = await Promise.all([
        redis.hget(`${own}:meta`, jobId),
        redis.zscore(`${own}:releasing`, jobId),
      ]);
      if (known === null) return false;
      return releasing !== null || knownJob.parse(JSON.parse(known)).released !== true;
    },
    backlog: async () => {
      const counts = await redis.hgetall(`${own}:staged`);
      const jobs = priorities.map((name) => [name, Number(counts[rankOf(name)] ?? 0)]);
      return { jobs: Object.fromEntries(jobs) as Backlog['jobs'], cost: Number(counts['cost'] ?? 0) };
    },
  };
}

/** Redis keys have a digest of the user id, not the id. */
function toJob({ jobId, user, priority, cost, weight, concurrentJobs: limit }: Scheduled) {
  return { id: jobId, user: userDigest(user), rank: rankOf(priority), cost, weight, limit };
}
