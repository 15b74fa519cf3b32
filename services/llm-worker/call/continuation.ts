import { type ChatRequest } from '../../../shared/contracts/chat-request.ts';
import { countTokens } from '../../../shared/content/documents/tokens.ts';
import { isVisible, type JobEvent } from '../../../shared/contracts/job-event.ts';
import { PREFIX_TAG } from './continuation-prefix.ts';
import { isUnmistakable } from './overlap.ts';

/**
 * What the next call of the model has to do, given what a client may have seen already.
 *
 * The log only grows: an answer of which a part is out is continued, never begun again.
 */
export type ContinuationPlan =
  /** No text is out. Thinking may be: it is not shown a second time. */
  | { kind: 'start'; muteReasoning: boolean }
  /** The model goes on behind a prefix of its own message. */
  | { kind: 'prefill'; partial: string }
  /**
   * The model is asked to go on, and to begin with the `anchor`, the last words of what there is. The anchor of white space
   * is empty: then the model gets the client's own request, and only the white space is not shown again.
   */
  | { kind: 'ask'; partial: string; prefix: string }
  /** Every choice has ended; only the job's end is missing. */
  | { kind: 'complete' }
  /** No continuation can be right: a JSON format, a tool call half written, several choices, log probabilities. */
  | { kind: 'impossible' };

export interface ContinuationRules {
  /** The model continues an assistant message that ends the conversation. */
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
  // Some models repeat their prefix and some do not: behind a short one nobody could tell.
  const prefill = rules.prefill && isUnmistakable(partial);
  return prefill ? { kind: 'prefill', partial } : { kind: 'ask', partial, prefix: lastWords(partial) };
}

/** A part of such an answer may turn out to be one that no call can take up. */
export function isAllOrNothing(request: ChatRequest): boolean {
  return !continuable(request) || (request.tools?.length ?? 0) > 0;
}

const PREFIX_CHARACTERS = 60;

/** The end of the text, from the beginning of a word where the script has words. */
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
 * The answer so far goes before it as the assistant's message. A model that begins with words we know shows where its text
 * belongs: one that goes on without a word of ours could be repeating itself, or have lost a space.
 */
function continueInstruction(prefix: string): string {
  return `Your answer was interrupted. Continue the partial answer exactly where it stopped. Begin with its last words, which stand below between the tags, letter for letter, and go straight on from there. Repeat nothing else of it, do not begin again and do not comment on the interruption.
<${PREFIX_TAG}>${prefix}</${PREFIX_TAG}>`;
}

/** The request that carries the plan out. */
export function continuedRequest(request: ChatRequest, plan: ContinuationPlan): ChatRequest {
  if (plan.kind !== 'prefill' && plan.kind !== 'ask') return request;
  // Some providers refuse a prefix that ends in white space; the overlap filter drops it when the model sends it again.
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

/** `spent`: the part of the answer that will not be said again. */
function lessSpent(request: ChatRequest, spent: string): Partial<ChatRequest> {
  const rest = (limit: number | null | undefined) =>
    limit ? Math.max(1, limit - countTokens(spent)) : limit;
  return {
    ...(request.max_tokens ? { max_tokens: rest(request.max_tokens) } : {}),
    ...(request.max_completion_tokens ? { max_completion_tokens: rest(request.max_completion_tokens) } : {}),
  };
}
