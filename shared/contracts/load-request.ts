import { type BlobStore } from '../blobs/blob-store.ts';
import { type ChatRequest, chatRequest } from './chat-request.ts';
import { type RequestRef } from './job-message.ts';

/** The request itself, wherever it travels. Throws what the blob store throws. */
export async function loadRequest(
  blobs: Pick<BlobStore, 'get'>,
  ref: RequestRef,
  signal: AbortSignal,
): Promise<ChatRequest> {
  if (ref.kind === 'inline') return ref.request;
  const bytes = await blobs.get(ref, signal);
  return chatRequest.parse(JSON.parse(bytes.toString('utf8')));
}
