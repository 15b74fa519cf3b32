/** BullMQ's queues and the settings that all workers share. */
export const LLM_QUEUE = 'llm';
export const CONTEXT_QUEUE = 'context';
/** Pieces of context whose document must be read by a parser: slow ones there hold up no text. */
export const DOCUMENT_QUEUE = 'documents';
/** Pieces of context that other services have: whoever fetches one only waits, so many are fetched at once. */
export const SOURCE_QUEUE = 'sources';
/** Uploaded files whose text is to be read. */
export const EXTRACT_QUEUE = 'extract';
/** Uploaded files whose passages are to be embedded. */
export const VECTORS_QUEUE = 'vectors';
/** Webhooks to be delivered. */
export const WEBHOOK_QUEUE = 'webhooks';

/** All of BullMQ's keys share one hash tag. */
export function bullPrefix(redisPrefix: string): string {
  return `${redisPrefix}:{bull}`;
}

/**
 * A killed worker's job is found stalled and runs again 3 to 5 s later (BullMQ's defaults: 60 s). Locks are renewed so
 * often that a process may stand still for 3 s before it loses them. Milliseconds.
 */
export const workerTimings = {
  lockDuration: 4_000,
  lockRenewTime: 1_000,
  stalledInterval: 1_000,
  maxStalledCount: 10,
} as const;
