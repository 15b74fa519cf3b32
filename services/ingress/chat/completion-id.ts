import { type CompletionHead } from './completion-chunks.ts';

const PREFIX = 'chatcmpl-';

/** `createdAt` in milliseconds since the epoch. */
export function completionHead(jobId: string, model: string, createdAt: number): CompletionHead {
  return { id: `${PREFIX}${jobId}`, model, created: Math.floor(createdAt / 1_000) };
}

/** Undefined if `id` is not the id of a chat completion. */
export function jobIdOfCompletion(id: string): string | undefined {
  return id.startsWith(PREFIX) ? id.slice(PREFIX.length) : undefined;
}
