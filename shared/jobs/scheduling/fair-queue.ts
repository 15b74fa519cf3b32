import { z } from 'zod';
import { userDigest } from '../../platform/ids.ts';
import { type Scheduled } from '../queues/dispatch.ts';
import { LLM_QUEUE, bullPrefix } from '../queues/names.ts';
import { type SlotLease } from '../queues/renew-locks.ts';
import { type Redis } from '../../platform/redis/connect.ts';
import { defineScript } from '../../platform/redis/script.ts';
import { type Priority, priorities, rankOf } from '../../contracts/priority.ts';

export interface StagedJob extends Scheduled {
  /** What is given out when it is released. */
  payload: string;
}

/** What has happened since the last step. */
export interface SchedulerStep {
  stage?: readonly StagedJob[];
  /** Jobs that have ended. `tokens`: what they came to. */
  leave?: readonly { jobId: string; tokens?: number | undefined }[];
  /** Jobs whose holder lives. */
  renew?: readonly string[];
  /** Jobs that were released and are open, and that BullMQ will not run: they are released again. */
  lost?: readonly string[];
  /** A worker process says how many slots it has; 0: it goes. */
  worker?: { id: string; slots: number } | undefined;
}

export interface Released {
  /** Of the jobs to be handed over now; `confirm` must follow, or they are released again. */
  payloads: string[];
  /** Jobs that stay. */
  staged: number;
  /** Of all workers that live. */
  slots: number;
  /** Jobs that were confirmed some time ago: whether BullMQ still has them is to be looked at. */
  due: string[];
}

/** What waits, by class. */
export interface Backlog {
  jobs: Readonly<Record<Priority, number>>;
  /** Of all of them together, in tokens. */
  cost: number;
}

/**
 * Jobs between the router and BullMQ, in the job Redis: of what the model can take, each user gets his share (`scripts/prelude.lua`
 * tells the states). Any process may make a step; all see the same.
 */
export interface FairQueue {
  step(step: SchedulerStep): Promise<Released>;
  /** Their BullMQ nodes are there. The payload is kept until the job leaves: should the node be lost, it is needed again. */
  confirm(jobIds: readonly string[]): Promise<void>;
  /** It waits, or is being released; of what was confirmed, BullMQ knows. */
  has(jobId: string): Promise<boolean>;
  backlog(): Promise<Backlog>;
}

export interface FairQueueOptions {
  redis: Redis;
  redisPrefix: string;
  /** How many more jobs are released than there are slots, in percent of them: a slot that is free finds one at once. */
  aheadPercent: number;
  /** One user's jobs take at most this share of all slots, in percent. */
  userPercent: number;
  /** This share of all slots, in percent, is kept for interactive jobs. */
  interactivePercent: number;
  /** Milliseconds that a background or batch job is passed over at most, at the head of its user's. */
  ageingMs: number;
}

/** More are released by the next step. */
export const MOST_AT_ONCE = 200;
/** A worker tells of itself each second. Milliseconds. */
const WORKER_LEASE_MS = 5_000;

/** By which a worker's slots count; its steps take it. */
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

/** The key of a user says nothing of his name. */
function toJob({ jobId, user, priority, cost, weight, concurrentJobs: limit }: Scheduled) {
  return { id: jobId, user: userDigest(user), rank: rankOf(priority), cost, weight, limit };
}
