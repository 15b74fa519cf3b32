/** BullMQ's queues and the settings that all workers share. */
export const LLM_QUEUE = 'llm';
export const CONTEXT_QUEUE = 'context';

/** All of BullMQ's keys share one hash tag. */
export function bullPrefix(redisPrefix: string): string {
  return `${redisPrefix}:{bull}`;
}

/** A killed worker's job is found stalled and runs again 5 to 7 s later; BullMQ's defaults take 60 s. */
export const workerTimings = { lockDuration: 5_000, stalledInterval: 1_500, maxStalledCount: 10 } as const;
