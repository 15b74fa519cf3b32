import { type CompletionHead } from './completion-chunks.ts';

const PREFIX = 'chatcmpl-';

/** `createdAt` in milliseconds since the epoch. */
export function completionHead(jobId: string, model: string, createdAt: number): CompletionHead {
  return { id: `${PREFIX}${jobId}`, model, created: Math.floor(createdAt / 1_000) };
}

/** Undefined for what is no completion's id. */
export function jobIdOfCompletion(id: string): string | undefined {
  return id.startsWith(PREFIX) ? id.slice(PREFIX.length) : undefined;
}
