import { type ChatRequest } from '../../../shared/contracts/chat-request.ts';
import {
  isVisible,
  type JobEvent,
  type TokenUsage,
  type UsageEvent,
} from '../../../shared/contracts/job-event.ts';
import { countTokens } from '../../../shared/content/documents/tokens.ts';
import { billLostCalls, sentText } from '../../../shared/jobs/joblog/lost-call.ts';
import { measureRequest } from '../../../shared/content/models/measure-request.ts';

/**
 * What a call that was cut has probably cost: the tokens of all that was sent, as the limits count it, and of what came back.
 * Counted in o200k; other providers' own counts were seen up to about 20% away. Kept apart from what providers report.
 */
export function estimateUsage(request: ChatRequest, sent: readonly JobEvent[]): TokenUsage {
  const prompt = measureRequest(request).exact();
  const completion = countTokens(sent.filter(isVisible).map(sentText).join(''));
  return { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion };
}

/** The usage events of the calls that attempts were lost with, where nobody has written them yet. */
export function lostCallUsages(history: readonly JobEvent[], request: ChatRequest): UsageEvent[] {
  return billLostCalls(history, [], (sent) => estimateUsage(request, sent));
}
