import { type ChatRequest, textOf } from '../../shared/contracts/chat-request.ts';
import {
  isVisible,
  type JobEvent,
  type TokenUsage,
  type UsageEvent,
} from '../../shared/contracts/job-event.ts';
import { countTokens } from '../../shared/documents/tokens.ts';
import { lostCall, sentText } from '../../shared/joblog/lost-call.ts';

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

/** The usage event of the call with which an attempt was lost; undefined where its usage is known or nothing was begun. */
export function lostCallUsage(history: readonly JobEvent[], request: ChatRequest): UsageEvent | undefined {
  const lost = lostCall(history);
  if (!lost) return undefined;
  const { attempt, call, sent } = lost;
  return { type: 'usage', attempt, call, source: 'estimated', usage: estimateUsage(request, sent) };
}
