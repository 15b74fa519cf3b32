import { type ChatMessage, type ChatRequest } from '../../../shared/contracts/chat-request.ts';

/**
 * The request as the model receives it. Removes parameters that Turnout handles itself, which would have another meaning to
 * LiteLLM or a provider, and the reasoning of earlier answers, which is never sent back as content.
 */
export function forModel(body: ChatRequest, model: string): ChatRequest {
  const request = { ...body, model, messages: body.messages.map(withoutThinking) };
  delete request.store;
  delete request.metadata;
  return request;
}

/** Names of reasoning content in client messages: DeepSeek and LiteLLM, vLLM, OpenRouter. */
const THINKING: ReadonlySet<string> = new Set(['reasoning_content', 'reasoning', 'reasoning_details']);

/** Keeps signed thinking blocks: Anthropic and Bedrock accept and verify them. */
function withoutThinking(message: ChatMessage): ChatMessage {
  if (message.role !== 'assistant') return message;
  const { thinking_blocks: blocks, ...rest } = message;
  const kept = Object.fromEntries(Object.entries(rest).filter(([name]) => !THINKING.has(name)));
  const signed = signedBlocks(blocks);
  return { ...(kept as typeof message), ...(signed.length > 0 ? { thinking_blocks: signed } : {}) };
}

/** A redacted block has no signature; its `data` is encrypted as a whole. */
function signedBlocks(blocks: unknown): unknown[] {
  if (!Array.isArray(blocks)) return [];
  return blocks.filter((block: unknown) => {
    if (typeof block !== 'object' || block === null) return false;
    return ('signature' in block && Boolean(block.signature)) || ('data' in block && Boolean(block.data));
  });
}
