import { FlowProducer, type FlowJob, type JobsOptions } from 'bullmq';
import { type ContextJob, type LlmJob } from '../contracts/flow.ts';
import { type Redis } from '../redis/connect.ts';
import { type Scheduled } from '../scheduling/fair-queue.ts';
import { bullPrefix, CONTEXT_QUEUE, DOCUMENT_QUEUE, LLM_QUEUE, SOURCE_QUEUE } from './names.ts';

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
  /** It was handed over, and is not long done: all that it needs travels with it. */
  has(jobId: string): Promise<boolean>;
  close(): Promise<void>;
}

/**
 * Into BullMQ at once, as flows: the children first, then the model call. Finished nodes are kept for that many milliseconds, so that
 * a redelivered message finds them and adds nothing. Before it stands `shared/scheduling`, which says when.
 */
export function createFlowDispatch(connection: Redis, redisPrefix: string, keepFinishedMs: number): Dispatch {
  const age = Math.ceil(keepFinishedMs / 1_000);
  const keep = { removeOnComplete: { age }, removeOnFail: { age } };
  const producer = new FlowProducer({ connection, prefix: bullPrefix(redisPrefix) });
  return {
    dispatch: async (jobs) => {
      await producer.addBulk(jobs.map((job) => toFlow(job, keep)));
    },
    has: async (jobId) => (await connection.exists(`${bullPrefix(redisPrefix)}:${LLM_QUEUE}:${jobId}`)) === 1,
    close: () => producer.close(),
  };
}

type Keep = Required<Pick<JobsOptions, 'removeOnComplete' | 'removeOnFail'>>;

function toFlow({ llm, context }: DecidedJob, keep: Keep): FlowJob {
  return {
    name: 'llm',
    queueName: LLM_QUEUE,
    data: llm,
    opts: { jobId: llm.jobId, ...keep },
    children: context.map((child) => ({
      name: 'context',
      queueName: placeOf(child).queueName,
      data: child,
      opts: {
        ...placeOf(child).opts,
        jobId: `${child.jobId}-${nameOf(child)}`,
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

/**
 * Where a child runs. What a parser must read may take long: of several jobs the first documents come first, then the second
 * ones, so that a request with hundreds of slow ones does not keep the others waiting. What only waits for another service
 * waits where it takes nobody's place.
 */
function placeOf({ pieces }: ContextJob): { queueName: string; opts: Pick<JobsOptions, 'priority'> } {
  const documents = pieces.flatMap((piece) => (piece.kind === 'document' ? [piece.document] : []));
  const parsed = documents.find(({ content }) => content.kind === 'raw');
  if (parsed) return { queueName: DOCUMENT_QUEUE, opts: { priority: parsed.index + 1 } };
  const remote = pieces.some(({ kind }) => kind === 'remote');
  return { queueName: remote ? SOURCE_QUEUE : CONTEXT_QUEUE, opts: {} };
}
