import { expectedAnswerTokens, USUAL_ANSWER_TOKENS } from '../../contracts/answer-length.ts';
import { type JobMessage } from '../../contracts/job-message.ts';
import { type Outcome } from '../../contracts/outcome.ts';

/** Estimated tokens of a job: its prompt and the answer that it allows. Its actual tokens replace the estimate when it has ended. */
export function estimatedTokens(request: JobMessage['request'], promptTokens: number): number {
  // The limit of a request in the blob store is not read.
  const answer = request.kind === 'inline' ? expectedAnswerTokens(request.request) : USUAL_ANSWER_TOKENS;
  return Math.max(1, promptTokens) + answer;
}

/** A job's tokens, reported by the provider or estimated. */
export function tokensOf({ usage }: Pick<Outcome, 'usage'>): number {
  return usage.reduce((sum, { tokens }) => sum + tokens.total_tokens, 0);
}
