import { createRedisBackend, FlowProducer, type FlowJob, type JobsOptions } from 'bullmq';
import { z } from 'zod';
import { type Priority } from '../../contracts/priority.ts';
import { type ContextJob, type LlmJob } from '../../contracts/flow.ts';
import { userDigest } from '../../platform/ids.ts';
import { type Document } from '../../contracts/job-message.ts';
import { type Redis } from '../../platform/redis/connect.ts';
import { defineScript, reloadScripts } from '../../platform/redis/script.ts';
import { inSlices } from '../../platform/util/in-slices.ts';
import { bullPrefix, CONTEXT_QUEUE, DOCUMENT_QUEUE, LLM_QUEUE, SOURCE_QUEUE } from './names.ts';
import { createUserTurns } from './user-turns.ts';

/** The scheduler's data of a job. */
export interface Scheduled {
  jobId: string;
  user: string;
  priority: Priority;
  /** Estimated tokens, at least 1. */
  cost: number;
  /** The user's weight, above 0: a user with twice the weight gets twice the share. */
  weight: number;
  /** How many of the user's jobs may run at a time; undefined: no limit of their own. */
  concurrentJobs?: number | undefined;
}

/** A job that the router has decided, with the children that fetch its context. */
export interface DecidedJob {
  llm: LlmJob;
  context: ContextJob[];
  /** The scheduler's input. */
  schedule: Omit<Scheduled, 'jobId' | 'user'>;
}

/** Queues decided jobs. Idempotent by job id: a redelivered message adds nothing. */
export interface Dispatch {
  dispatch(jobs: readonly DecidedJob[]): Promise<void>;
  /** True when the job is queued and will run, or BullMQ gave it up and a worker ends it. */
  has(jobId: string): Promise<boolean>;
  close(): Promise<void>;
}

const nodeState = z.enum(['queued', 'completed', 'failed', 'lost', 'gone']);
/** A job's state in BullMQ, as described in `scripts/node-states.lua`. */
export type NodeState = z.infer<typeof nodeState>;

export interface FlowDispatch extends Dispatch {
  /** The states, in the order of the ids. */
  states(jobIds: readonly string[]): Promise<NodeState[]>;
}

/** Redis serves no other client while it executes a MULTI, so one MULTI adds at most this many nodes. */
const NODES_AT_ONCE = 500;

/**
 * Adds jobs to BullMQ immediately, as flows: the children run first, then the model call. `shared/jobs/scheduling` decides when to dispatch
 * a job. Finished nodes are kept for `keepFinishedMs`.
 *
 * An open job may be dispatched again: nodes that BullMQ will run stay unchanged, and finished nodes (of an earlier job with the same id, or
 * of an attempt that did not end its job) are replaced. `dispatch` rejects when Redis refused a node; then no node of the jobs in that MULTI
 * is left behind.
 */
export function createFlowDispatch(
  connection: Redis,
  redisPrefix: string,
  keepFinishedMs: number,
): FlowDispatch {
  const age = Math.ceil(keepFinishedMs / 1_000);
  const keep = { removeOnComplete: { age }, removeOnFail: { age } };
  const prefix = bullPrefix(redisPrefix);
  const keys = [`${prefix}:${LLM_QUEUE}`];
  const turns = createUserTurns(connection, redisPrefix, DOCUMENT_QUEUE);
  const producer = new FlowProducer({ connection, prefix }, createCheckedBackend);
  const clear = defineScript(connection, script('clear-nodes'), [script('prelude')]);
  const stateOf = defineScript(connection, script('node-states'), [script('prelude')]);

  async function states(jobIds: readonly string[]): Promise<NodeState[]> {
    return jobIds.length === 0 ? [] : nodeState.array().parse(await stateOf(keys, jobIds));
  }

  /** The job's position, from 1, among its user's jobs whose documents wait for a parser. */
  async function turnOf({ llm, context }: DecidedJob): Promise<number> {
    if (!context.some(parsedOf)) return 1;
    return turns.join(userDigest(llm.user), llm.jobId);
  }

  async function add(jobs: readonly DecidedJob[]): Promise<void> {
    const nodes = JSON.stringify(jobs.map((job) => nodesOf(job, prefix)));
    const flows = await Promise.all(jobs.map(async (job) => toFlow(job, keep, await turnOf(job))));
    try {
      // Both use one connection, so Redis executes them in this order.
      const cleared = clear(keys, ['ended', nodes]);
      const added = producer.addBulk(flows);
      await Promise.all([cleared, added]);
    } catch (error) {
      await clear(keys, ['all', nodes]);
      throw error;
    }
  }

  async function addWithScripts(jobs: readonly DecidedJob[]): Promise<void> {
    try {
      await add(jobs);
    } catch (error) {
      if (!isScriptMissing(error)) throw error;
      await reloadScripts(connection);
      await add(jobs);
    }
  }

  return {
    dispatch: async (jobs) => {
      const slices = inSlices(jobs, NODES_AT_ONCE, ({ context }) => 1 + context.length);
      const results = await Promise.allSettled(slices.map(addWithScripts));
      const failed = results.find((result) => result.status === 'rejected');
      if (failed) throw failed.reason;
    },
    states,
    has: async (jobId) => {
      const [state] = await states([jobId]);
      return state === 'queued' || state === 'failed';
    },
    close: () => producer.close(),
  };
}

/**
 * BullMQ's own backend, except that adding flows fails when Redis refused one of their nodes. `addBulk` ignores errors of single commands
 * in its MULTI (BullMQ 6.7, `FlowProducer.addBulk`), so a job that was not added would count as queued.
 */
const createCheckedBackend: typeof createRedisBackend = (...options) => {
  const backend = createRedisBackend(...options);
  const addFlow = backend.addFlow.bind(backend);
  backend.addFlow = async (entries) => {
    const results = await addFlow(entries);
    for (const [error, id] of results) {
      if (error) throw error;
      if (typeof id === 'number') throw new Error(`BullMQ refused a node (code ${id})`);
    }
    return results;
  };
  return backend;
};

function script(name: string): URL {
  return new URL(`scripts/${name}.lua`, import.meta.url);
}

/** True after a `SCRIPT FLUSH` or a failover. ioredis reloads missing scripts itself, except inside a MULTI. */
function isScriptMissing(error: unknown): boolean {
  return error instanceof Error && error.message.includes('NOSCRIPT');
}

/** A job's nodes, in the format of `scripts/clear-nodes.lua`. */
function nodesOf({ llm, context }: DecidedJob, prefix: string) {
  const children = context.map((child) => ({
    queue: `${prefix}:${queueOf(child)}`,
    id: childId(child),
  }));
  return { id: llm.jobId, acceptedAt: llm.acceptedAt, children };
}

function childId(child: ContextJob): string {
  return `${child.jobId}-${nameOf(child)}`;
}

type Keep = Required<Pick<JobsOptions, 'removeOnComplete' | 'removeOnFail'>>;

function toFlow({ llm, context }: DecidedJob, keep: Keep, turn: number): FlowJob {
  return {
    name: 'llm',
    queueName: LLM_QUEUE,
    data: llm,
    opts: { jobId: llm.jobId, ...keep },
    children: context.map((child) => ({
      name: 'context',
      queueName: queueOf(child),
      data: child,
      opts: {
        ...priorityOf(child, turn),
        jobId: childId(child),
        ...keep,
        attempts: 2,
        backoff: { type: 'fixed', delay: 200 },
        // The parent always runs: only it can end the job, and it sees which pieces are missing.
        ignoreDependencyOnFailure: true,
      },
    })),
  };
}

/** The name of a child with one piece; `context` for a child that fetches several. */
function nameOf({ pieces: [first, ...others] }: ContextJob): string {
  return first && others.length === 0 ? first.piece : 'context';
}

/** Parsing may take long, and fetches from other services only wait. Both have their own queue, so they do not delay other context. */
function queueOf(child: ContextJob): string {
  if (parsedOf(child)) return DOCUMENT_QUEUE;
  return child.pieces.some(({ kind }) => kind === 'remote') ? SOURCE_QUEUE : CONTEXT_QUEUE;
}

/**
 * Interleaves documents: all jobs' first documents are parsed first, then their second ones, so a request with hundreds of slow documents
 * does not delay others. Each further job of a user starts one position later, so many jobs of one user do not delay others either.
 */
function priorityOf(child: ContextJob, turn: number): Pick<JobsOptions, 'priority'> {
  const parsed = parsedOf(child);
  return parsed ? { priority: parsed.index + turn } : {};
}

/** The first document that a parser must read. */
function parsedOf({ pieces }: ContextJob): Document | undefined {
  const documents = pieces.flatMap((piece) => (piece.kind === 'document' ? [piece.document] : []));
  return documents.find(({ content }) => content.kind === 'raw');
}
