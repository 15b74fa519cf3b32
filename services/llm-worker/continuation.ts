import { type ChatRequest } from '../../shared/contracts/chat-request.ts';
import { isVisible, type JobEvent } from '../../shared/contracts/job-event.ts';

/**
 * What the next call of the model has to do, given what a client may have seen already.
 *
 * The log only grows: an answer of which a part is out is continued, never begun again.
 */
export type Plan =
  /** No text is out. Thinking may be: it is not shown a second time. */
  | { kind: 'start'; muteReasoning: boolean }
  /** The model goes on behind a prefix of its own message. */
  | { kind: 'prefill'; partial: string }
  /** The model is asked to go on. */
  | { kind: 'ask'; partial: string }
  /** Every choice has ended; only the job's end is missing. */
  | { kind: 'complete' }
  /** No continuation can be right: a JSON format, a tool call half written, several choices, log probabilities. */
  | { kind: 'impossible' };

export interface ContinuationRules {
  /** The model continues an assistant message that ends the conversation. */
  prefill: boolean;
  onLostAttempt: 'continue' | 'fail';
}

export function planNext(history: readonly JobEvent[], request: ChatRequest, rules: ContinuationRules): Plan {
  const seen = history.filter(isVisible);
  const ended = new Set(seen.filter(({ type }) => type === 'choice_end').map(({ choice }) => choice));
  if (ended.size >= (request.n ?? 1)) return { kind: 'complete' };

  const muteReasoning = seen.some(({ type }) => type === 'reasoning');
  if (seen.every(({ type }) => type === 'reasoning')) return { kind: 'start', muteReasoning };
  if (rules.onLostAttempt === 'fail' || !continuable(request)) return { kind: 'impossible' };
  if (seen.some(({ type }) => type !== 'text' && type !== 'reasoning')) return { kind: 'impossible' };
  const partial = seen.map((event) => (event.type === 'text' ? event.delta : '')).join('');
  return { kind: rules.prefill ? 'prefill' : 'ask', partial };
}

function continuable({ n, logprobs, response_format: format }: ChatRequest): boolean {
  return (n ?? 1) === 1 && !logprobs && (format === undefined || format.type === 'text');
}

/** The simulator and the models know this wording; the answer so far goes before it as the assistant's message. */
export const CONTINUE_INSTRUCTION =
  'Your answer was interrupted. Continue the partial answer exactly where it stopped. Do not repeat any of it, do not ' +
  'begin again and do not comment on the interruption.';

/** The request that carries the plan out. `spent`: tokens of the answer that are out already. */
export function continuedRequest(request: ChatRequest, plan: Plan, spent: number): ChatRequest {
  if (plan.kind !== 'prefill' && plan.kind !== 'ask') return request;
  // Some providers refuse a prefix that ends in white space; the overlap filter drops it when the model sends it again.
  const partial = { role: 'assistant' as const, content: plan.partial.trimEnd() };
  const tail =
    plan.kind === 'prefill'
      ? [{ ...partial, prefix: true }]
      : [partial, { role: 'user' as const, content: CONTINUE_INSTRUCTION }];
  return { ...request, ...lessSpent(request, spent), messages: [...request.messages, ...tail] };
}

function lessSpent(request: ChatRequest, spent: number): Partial<ChatRequest> {
  const rest = (limit: number | null | undefined) => (limit ? Math.max(1, limit - spent) : limit);
  return {
    ...(request.max_tokens ? { max_tokens: rest(request.max_tokens) } : {}),
    ...(request.max_completion_tokens ? { max_completion_tokens: rest(request.max_completion_tokens) } : {}),
  };
}
