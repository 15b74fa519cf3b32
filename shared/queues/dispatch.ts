import { FlowProducer, type FlowJob } from 'bullmq';
import { type ContextJob, type LlmJob } from '../contracts/flow.ts';
import { type Redis } from '../redis/connect.ts';
import { bullPrefix, CONTEXT_QUEUE, KEEP_FINISHED, LLM_QUEUE } from './names.ts';

/** A job that the router has decided, with the pieces of context that it waits for. */
export interface DecidedJob {
  llm: LlmJob;
  context: ContextJob[];
}

/** Hands decided jobs over to be run. Idempotent by job id: a redelivered message adds nothing. */
export interface Dispatch {
  dispatch(jobs: readonly DecidedJob[]): Promise<void>;
  close(): Promise<void>;
}

/** Today's engine: BullMQ flows, the children first, then the model call. */
export function createFlowDispatch(connection: Redis, redisPrefix: string): Dispatch {
  const producer = new FlowProducer({ connection, prefix: bullPrefix(redisPrefix) });
  return {
    dispatch: async (jobs) => {
      await producer.addBulk(jobs.map(toFlow));
    },
    close: () => producer.close(),
  };
}

function toFlow({ llm, context }: DecidedJob): FlowJob {
  return {
    name: 'llm',
    queueName: LLM_QUEUE,
    data: llm,
    opts: { jobId: llm.jobId, removeOnComplete: KEEP_FINISHED, removeOnFail: KEEP_FINISHED },
    children: context.map((piece) => ({
      name: 'context',
      queueName: CONTEXT_QUEUE,
      data: piece,
      opts: {
        jobId: `${piece.jobId}-${piece.piece}`,
        removeOnComplete: KEEP_FINISHED,
        removeOnFail: KEEP_FINISHED,
        attempts: 2,
        backoff: { type: 'fixed', delay: 200 },
        // The parent always runs: it is the one that can end the job, and it sees which piece is missing.
        ignoreDependencyOnFailure: true,
      },
    })),
  };
}
