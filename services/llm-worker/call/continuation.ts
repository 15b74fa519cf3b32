import { type ChatRequest } from '../../../shared/contracts/chat-request.ts';
import { countTokens } from '../../../shared/content/documents/tokens.ts';
import { isVisible, type JobEvent } from '../../../shared/contracts/job-event.ts';
import { PREFIX_TAG } from './continuation-prefix.ts';
import { isUnmistakable } from './overlap.ts';

/**
 * How the next model call must continue, given the events that a client may already have seen.
 *
 * The log only grows: once a part of an answer is visible, the answer is continued and never started again.
 */
export type ContinuationPlan =
  /** No text is visible yet. `muteReasoning`: reasoning is visible, and is not shown a second time. */
  | { kind: 'start'; muteReasoning: boolean }
  /** The partial answer is sent as the beginning of the model's own message, and the model continues it. */
  | { kind: 'prefill'; partial: string }
  /**
   * The model is asked to continue, beginning with the continuation `prefix`: the last words of the partial answer. If the partial
   * answer is only white space, the prefix is empty: the model gets the client's own request, and the white space is not shown again.
   */
  | { kind: 'ask'; partial: string; prefix: string }
  /** Every choice has ended; only the job's terminal event is missing. */
  | { kind: 'complete' }
  /** The answer cannot be continued correctly: a JSON format, a partial tool call, several choices, log probabilities. */
  | { kind: 'impossible' };

export interface ContinuationRules {
  /** Whether the model continues an assistant message at the end of the conversation. */
  prefill: boolean;
  onLostAttempt: 'continue' | 'fail';
}

export function planNext(
  history: readonly JobEvent[],
  request: ChatRequest,
  rules: ContinuationRules,
): ContinuationPlan {
  const seen = history.filter(isVisible);
  const ended = new Set(seen.filter(({ type }) => type === 'choice_end').map(({ choice }) => choice));
  if (ended.size >= (request.n ?? 1)) return { kind: 'complete' };

  const muteReasoning = seen.some(({ type }) => type === 'reasoning');
  if (seen.every(({ type }) => type === 'reasoning')) return { kind: 'start', muteReasoning };
  if (rules.onLostAttempt === 'fail' || !continuable(request)) return { kind: 'impossible' };
  if (seen.some(({ type }) => type !== 'text' && type !== 'reasoning')) return { kind: 'impossible' };
  const partial = seen.map((event) => (event.type === 'text' ? event.delta : '')).join('');
  // Some models repeat the partial answer and some do not. With a short one the two cases look the same.
  const prefill = rules.prefill && isUnmistakable(partial);
  return prefill ? { kind: 'prefill', partial } : { kind: 'ask', partial, prefix: lastWords(partial) };
}

/** Whether a partial answer to this request might be impossible to continue. */
export function isAllOrNothing(request: ChatRequest): boolean {
  return !continuable(request) || (request.tools?.length ?? 0) > 0;
}

const PREFIX_CHARACTERS = 60;

/** The end of the text, starting at a word boundary if the script has spaces. */
function lastWords(text: string): string {
  const whole = text.trim();
  if (whole.length <= PREFIX_CHARACTERS) return whole;
  const end = whole.slice(-PREFIX_CHARACTERS);
  const space = end.slice(0, PREFIX_CHARACTERS / 2).search(/\s\S/);
  return space >= 0 ? end.slice(space + 1) : end.replace(/^[\uDC00-\uDFFF]/, '');
}

function continuable({ n, logprobs, response_format: format }: ChatRequest): boolean {
  return (n ?? 1) === 1 && !logprobs && (format === undefined || format.type === 'text');
}

/**
 * The instruction that follows the partial answer, which is sent as an assistant message. A model that begins with known words shows
 * where its text belongs. Without them, a repetition or a lost space could not be told from new text.
 */
function continueInstruction(prefix: string): string {
  return `Your answer was interrupted. Continue the partial answer exactly where it stopped. Begin with its last words, which stand below between the tags, letter for letter, and go straight on from there. Repeat nothing else of it, do not begin again and do not comment on the interruption.
<${PREFIX_TAG}>${prefix}</${PREFIX_TAG}>`;
}

/** The request for a plan. */
export function continuedRequest(request: ChatRequest, plan: ContinuationPlan): ChatRequest {
  if (plan.kind !== 'prefill' && plan.kind !== 'ask') return request;
  // Some providers reject a partial message that ends in white space. The overlap filter drops it if the model sends it again.
  const partial = { role: 'assistant' as const, content: plan.partial.trimEnd() };
  if (partial.content === '') return request;
  if (plan.kind === 'prefill') {
    const tail = { ...partial, prefix: true };
    return { ...request, ...lessSpent(request, plan.partial), messages: [...request.messages, tail] };
  }
  const ask = { role: 'user' as const, content: continueInstruction(plan.prefix) };
  const spent = partial.content.slice(0, partial.content.length - plan.prefix.length);
  return { ...request, ...lessSpent(request, spent), messages: [...request.messages, partial, ask] };
}

/** Lowers the output limits by the tokens of `spent`, the part of the answer that the model does not repeat. */
function lessSpent(request: ChatRequest, spent: string): Partial<ChatRequest> {
  const rest = (limit: number | null | undefined) =>
    limit ? Math.max(1, limit - countTokens(spent)) : limit;
  return {
    ...(request.max_tokens ? { max_tokens: rest(request.max_tokens) } : {}),
    ...(request.max_completion_tokens ? { max_completion_tokens: rest(request.max_completion_tokens) } : {}),
  };
}
