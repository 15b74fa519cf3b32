import { z } from 'zod';
import { type ChatRequest, metadata } from '../../../shared/contracts/chat-request.ts';

/** What is stored of the request of a stored chat completion, besides its job's log. */
const chatOriginal = z.object({
  version: z.literal(1),
  kind: z.literal('chat.completion'),
  model: z.string(),
  metadata,
});
type ChatOriginal = z.infer<typeof chatOriginal>;

export function chatOriginalOf({ metadata: pairs }: ChatRequest, model: string): ChatOriginal {
  return { version: 1, kind: 'chat.completion', model, metadata: pairs };
}

/** Undefined if the original is not of a chat completion. */
export function readChatOriginal(json: string): ChatOriginal | undefined {
  const value: unknown = JSON.parse(json);
  const { kind } = z.looseObject({ kind: z.string() }).parse(value);
  return kind === 'chat.completion' ? chatOriginal.parse(value) : undefined;
}
