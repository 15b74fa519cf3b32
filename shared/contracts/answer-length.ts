import { type ChatRequest } from './chat-request.ts';

/** Tokens of an answer whose request sets no limit. Budgets, limits per minute and the scheduler all assume it. */
export const USUAL_ANSWER_TOKENS = 1_000;
/** A request's limit above this says little about how long its answer will be. Tokens. */
const LONGEST_EXPECTED = 2_000;

type Limits = Pick<ChatRequest, 'max_completion_tokens' | 'max_tokens' | 'n'>;

/** The limit that a request sets for each of its answers, in tokens; undefined where it sets none. */
export function statedAnswerTokens({
  max_completion_tokens: limit,
  max_tokens: before,
}: Limits): number | undefined {
  return limit ?? before ?? undefined;
}

/** The expected tokens of all answers to a request. At most 2,000 each: more is a limit, not an estimate. */
export function expectedAnswerTokens(request: Limits): number {
  const each = Math.min(statedAnswerTokens(request) ?? USUAL_ANSWER_TOKENS, LONGEST_EXPECTED);
  return each * (request.n ?? 1);
}
