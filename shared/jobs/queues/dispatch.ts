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

/** What the scheduler knows of a job. */
export interface Scheduled {
  jobId: string;
  user: string;
  priority: Priority;
  /** Tokens that it will probably take, at least 1. */
  cost: number;
  /** Of its user, above 0: with twice the weight he gets twice as much. */
  weight: number;
  /** So many of his jobs run at a time. */
  concurrentJobs?: number | undefined;
}

/** A job that the router has decided, with the children that fetch its context. */
export interface DecidedJob {
  llm: LlmJob;
  context: ContextJob[];
  /** What decides when it runs. */
  schedule: Omit<Scheduled, 'jobId' | 'user'>;
}

/** Hands decided jobs over to be run. Idempotent by job id: a redelivered message adds nothing. */
export interface Dispatch {
  dispatch(jobs: readonly DecidedJob[]): Promise<void>;
  /** It was handed over and will run, or BullMQ gave it up and a worker ends it. */
  has(jobId: string): Promise<boolean>;
  close(): Promise<void>;
}

const nodeState = z.enum(['queued', 'completed', 'failed', 'lost', 'gone']);
/** What BullMQ has of a job; `scripts/node-states.lua` tells what each means. */
export type NodeState = z.infer<typeof nodeState>;

export interface FlowDispatch extends Dispatch {
  /** In the order of the ids. */
  states(jobIds: readonly string[]): Promise<NodeState[]>;
}

/** Redis serves no other client while it runs a MULTI, so one MULTI adds at most this many nodes. */
const NODES_AT_ONCE = 500;

/**
 * Into BullMQ at once, as flows: the children first, then the model call. Finished nodes are kept for that many milliseconds. Before
 * it stands `shared/jobs/scheduling`, which says when.
 *
 * A job may be dispatched again while it is open: what BullMQ will run stays as it is, and what it is done with (a node of an earlier
 * job under the same id, or one whose attempt did not end its job) is replaced. `dispatch` rejects where Redis did not take every node;
 * nothing of those jobs is left behind then.
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

  /** Of its user's jobs whose documents wait for a parser, which one it is; from 1. */
  async function turnOf({ llm, context }: DecidedJob): Promise<number> {
    if (!context.some(parsedOf)) return 1;
    return turns.join(userDigest(llm.user), llm.jobId);
  }

  async function add(jobs: readonly DecidedJob[]): Promise<void> {
    const nodes = JSON.stringify(jobs.map((job) => nodesOf(job, prefix)));
    const flows = await Promise.all(jobs.map(async (job) => toFlow(job, keep, await turnOf(job))));
    try {
      // On one connection, so in this order, without waiting in between.
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
 * BullMQ's own backend, except that adding flows fails when Redis refused any of their nodes: `addBulk` ignores the errors of single
 * commands inside its MULTI (BullMQ 6.7, `FlowProducer.addBulk`), so that a job could be taken for queued that is not there.
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

/** A `SCRIPT FLUSH`, or a failover: ioredis loads a script again by itself, but not inside a MULTI. */
function isScriptMissing(error: unknown): boolean {
  return error instanceof Error && error.message.includes('NOSCRIPT');
}

/** As `scripts/clear-nodes.lua` takes them. */
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
        // The parent always runs: it is the one that can end the job, and it sees which piece is missing.
        ignoreDependencyOnFailure: true,
      },
    })),
  };
}

/** Of a child that fetches all pieces, `context`. */
function nameOf({ pieces: [first, ...others] }: ContextJob): string {
  return first && others.length === 0 ? first.piece : 'context';
}

/** What a parser must read may take long, and what only waits for another service takes nobody's place: each has its own queue. */
function queueOf(child: ContextJob): string {
  if (parsedOf(child)) return DOCUMENT_QUEUE;
  return child.pieces.some(({ kind }) => kind === 'remote') ? SOURCE_QUEUE : CONTEXT_QUEUE;
}

/**
 * Of several jobs the first documents come first, then the second ones: a request with hundreds of slow ones does not keep the others
 * waiting. A user's second job counts one behind the first, so that many jobs do not either.
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
