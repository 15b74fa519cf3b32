import { type ChatRequest, textOf } from '../../shared/contracts/chat-request.ts';
import {
  isVisible,
  type JobEvent,
  type TokenUsage,
  type UsageEvent,
} from '../../shared/contracts/job-event.ts';
import { countTokens } from '../../shared/documents/tokens.ts';
import { lostCalls, sentText } from '../../shared/joblog/lost-call.ts';

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

/** The usage events of the calls that attempts were lost with, where nobody has written them yet. */
export function lostCallUsages(history: readonly JobEvent[], request: ChatRequest): UsageEvent[] {
  return lostCalls(history).map(({ attempt, call, sent }) => {
    return { type: 'usage', attempt, call, source: 'estimated', usage: estimateUsage(request, sent) };
  });
}
