import { type ChatRequest, textOf } from '../../shared/contracts/chat-request.ts';
import {
  isVisible,
  type JobEvent,
  type TokenUsage,
  type UsageEvent,
} from '../../shared/contracts/job-event.ts';
import { countTokens } from '../../shared/documents/tokens.ts';

/** Tokens that chat formats add to each message (OpenAI cookbook, "How to count tokens with tiktoken"). */
const PER_MESSAGE = 4;

/**
 * What a call that was cut has probably cost: the tokens of its prompt and of what it had sent. Counted in o200k; other
 * providers' own counts were seen up to about 20% away. Kept apart from what providers report.
 */
export function estimateUsage(request: ChatRequest, sent: readonly JobEvent[]): TokenUsage {
  const prompt = request.messages.reduce(
    (sum, { content }) => sum + PER_MESSAGE + countTokens(textOf(content)),
    0,
  );
  const completion = countTokens(sent.filter(isVisible).map(sentText).join(''));
  return { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion };
}

/**
 * The usage event of the call with which an attempt was lost; undefined where its usage is known or nothing was begun. An
 * attempt that was released has told of its calls itself.
 */
export function lostCallUsage(history: readonly JobEvent[], request: ChatRequest): UsageEvent | undefined {
  const from = history.findLastIndex(({ type }) => type === 'attempt');
  const begun = history[from];
  if (begun?.type !== 'attempt') return undefined;
  const own = history.slice(from + 1);
  if (own.some(({ type }) => type === 'released')) return undefined;
  const call = Math.max(1, ...own.map((event) => (event.type === 'retry' ? event.call : 1)));
  const known = own.some((event) => event.type === 'usage' && event.call === call);
  if (known) return undefined;
  const sinceCall = own.slice(own.findLastIndex(({ type }) => type === 'retry') + 1);
  return {
    type: 'usage',
    attempt: begun.attempt,
    call,
    source: 'estimated',
    usage: estimateUsage(request, sinceCall),
  };
}

function sentText(event: JobEvent): string {
  if (event.type === 'text' || event.type === 'reasoning' || event.type === 'refusal') return event.delta;
  return event.type === 'tool_call' ? `${event.name ?? ''}${event.arguments}` : '';
}
