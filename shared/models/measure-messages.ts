import { type ChatMessage, type ChatRequest } from '../contracts/chat-request.ts';
import { countTokens, maxTokens } from '../documents/tokens.ts';

export interface Measure {
  /** At least as many tokens as the messages have; takes microseconds. */
  readonly atMost: number;
  /** Tokens as o200k counts them; takes up to some 15 ms for each long message the first time. */
  exact(): number;
}

/** Role, separators and names around a message: OpenAI's own formats need 3 or 4. */
const PER_MESSAGE = 4;
/** An image or a recording, whose data is not text: OpenAI's high detail needs 765 tokens for 1024 x 1024 pixels. */
const PER_MEDIA = 1_000;

/** The size of everything in a request that its model reads: messages, tool calls and the definitions of tools. */
export function measureMessages({ messages, tools }: Pick<ChatRequest, 'messages' | 'tools'>): Measure {
  const texts = messages.flatMap(textsOf);
  if (tools) texts.push(JSON.stringify(tools));
  const around =
    messages.length * PER_MESSAGE + messages.reduce((sum, message) => sum + mediaOf(message), 0) * PER_MEDIA;
  const total = (count: (text: string) => number) => texts.reduce((sum, text) => sum + count(text), around);
  let exact: number | undefined;
  return { atMost: total(maxTokens), exact: () => (exact ??= total(countTokens)) };
}

function textsOf(message: ChatMessage): string[] {
  const texts =
    message.role === 'assistant' && message.tool_calls ? [JSON.stringify(message.tool_calls)] : [];
  const { content } = message;
  if (typeof content === 'string') return [...texts, content];
  for (const part of content ?? []) {
    if (part.type === 'text') texts.push(part.text);
    if (part.type === 'refusal') texts.push(part.refusal);
  }
  return texts;
}

function mediaOf({ content }: ChatMessage): number {
  if (!content || typeof content === 'string') return 0;
  return content.filter(({ type }) => type === 'image_url' || type === 'input_audio').length;
}
