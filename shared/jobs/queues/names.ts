/** BullMQ's queues and the settings that all workers share. */
export const LLM_QUEUE = 'llm';
export const CONTEXT_QUEUE = 'context';
/** Pieces of context whose document must be parsed. Their own queue keeps slow parsing from delaying plain text. */
export const DOCUMENT_QUEUE = 'documents';
/** Pieces of context from other services. Fetching only waits, so many are fetched at once. */
export const SOURCE_QUEUE = 'sources';
/** Uploaded files whose text must be extracted. */
export const EXTRACT_QUEUE = 'extract';
/** Uploaded files whose passages must be embedded. */
export const VECTORS_QUEUE = 'vectors';
/** Webhook deliveries. */
export const WEBHOOK_QUEUE = 'webhooks';
/** All queues. */
export const QUEUES = [
  LLM_QUEUE,
  CONTEXT_QUEUE,
  DOCUMENT_QUEUE,
  SOURCE_QUEUE,
  EXTRACT_QUEUE,
  VECTORS_QUEUE,
  WEBHOOK_QUEUE,
] as const;

/** All of BullMQ's keys share one hash tag. */
export function bullPrefix(redisPrefix: string): string {
  return `${redisPrefix}:{bull}`;
}

/**
 * A killed worker's job is found stalled and runs again 3 to 5 s later (BullMQ's defaults: 60 s). A process may freeze for 3 s before it
 * loses its locks. Milliseconds.
 */
export const workerTimings = {
  lockDuration: 4_000,
  lockRenewTime: 1_000,
  stalledInterval: 1_000,
  maxStalledCount: 10,
} as const;
