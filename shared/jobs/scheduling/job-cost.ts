import { type JobMessage } from '../../contracts/job-message.ts';
import { type Outcome } from '../../contracts/outcome.ts';

/** Where a request says nothing of how long its answer may be, or where that is not known. Tokens. */
const USUAL_ANSWER = 500;
/** More is a limit and no estimate. */
const LONGEST_ESTIMATE = 2_000;

/** Tokens that a job will probably take: its prompt, and the answer that it allows. What it takes is charged when it has ended. */
export function estimatedTokens(request: JobMessage['request'], promptTokens: number): number {
  return Math.max(1, promptTokens) + answerTokens(request);
}

function answerTokens(request: JobMessage['request']): number {
  if (request.kind !== 'inline') return USUAL_ANSWER;
  const { max_completion_tokens: most, max_tokens: before, n } = request.request;
  const each = Math.min(most ?? before ?? USUAL_ANSWER, LONGEST_ESTIMATE);
  return each * (n ?? 1);
}

/** What a job has taken of the model, whoever says so. */
export function tokensOf({ usage }: Pick<Outcome, 'usage'>): number {
  return usage.reduce((sum, { tokens }) => sum + tokens.total_tokens, 0);
}
