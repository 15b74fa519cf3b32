import { type ChatMessage, type ChatRequest } from '../../../shared/contracts/chat-request.ts';

/**
 * The request as the model gets it: without what is ours to do, which would mean something of its own to LiteLLM or a
 * provider, and without the thinking of earlier answers, which is never fed back as content.
 */
export function forModel(body: ChatRequest, model: string): ChatRequest {
  const request = { ...body, model, messages: body.messages.map(withoutThinking) };
  delete request.store;
  delete request.metadata;
  return request;
}

/** What clients have of it, as DeepSeek and LiteLLM, vLLM, and OpenRouter name it. */
const THINKING: ReadonlySet<string> = new Set(['reasoning_content', 'reasoning', 'reasoning_details']);

/** Blocks that are signed stay: Anthropic and Bedrock take them back as what they are, and check them. */
function withoutThinking(message: ChatMessage): ChatMessage {
  if (message.role !== 'assistant') return message;
  const { thinking_blocks: blocks, ...rest } = message;
  const kept = Object.fromEntries(Object.entries(rest).filter(([name]) => !THINKING.has(name)));
  const signed = signedBlocks(blocks);
  return { ...(kept as typeof message), ...(signed.length > 0 ? { thinking_blocks: signed } : {}) };
}

/** A redacted block is sealed as a whole. */
function signedBlocks(blocks: unknown): unknown[] {
  if (!Array.isArray(blocks)) return [];
  return blocks.filter((block: unknown) => {
    if (typeof block !== 'object' || block === null) return false;
    return ('signature' in block && Boolean(block.signature)) || ('data' in block && Boolean(block.data));
  });
}
