import { type JobMessage } from '../../contracts/job-message.ts';
import { type Outcome } from '../../contracts/outcome.ts';

/** Tokens of an answer whose request sets no limit, or whose limit is unknown. */
const USUAL_ANSWER = 500;
/** A request's limit above this is not a useful estimate. Tokens. */
const LONGEST_ESTIMATE = 2_000;

/** Estimated tokens of a job: its prompt and the answer that it allows. Its actual tokens replace the estimate when it has ended. */
export function estimatedTokens(request: JobMessage['request'], promptTokens: number): number {
  return Math.max(1, promptTokens) + answerTokens(request);
}

function answerTokens(request: JobMessage['request']): number {
  if (request.kind !== 'inline') return USUAL_ANSWER;
  const { max_completion_tokens: most, max_tokens: before, n } = request.request;
  const each = Math.min(most ?? before ?? USUAL_ANSWER, LONGEST_ESTIMATE);
  return each * (n ?? 1);
}

/** A job's tokens, reported by the provider or estimated. */
export function tokensOf({ usage }: Pick<Outcome, 'usage'>): number {
  return usage.reduce((sum, { tokens }) => sum + tokens.total_tokens, 0);
}
