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
 * Estimates the usage of a call that was cut: the tokens of the whole request, counted as for the limits, and of the events that came
 * back. Counted in o200k; other providers' own counts differ by up to about 20%. Estimates are stored apart from reported usage.
 */
export function estimateUsage(request: ChatRequest, sent: readonly JobEvent[]): TokenUsage {
  const prompt = measureRequest(request).exact();
  const completion = countTokens(sent.filter(isVisible).map(sentText).join(''));
  return { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion };
}

/** The usage events of lost calls that the log does not contain yet. */
export function lostCallUsages(history: readonly JobEvent[], request: ChatRequest): UsageEvent[] {
  return billLostCalls(history, [], (sent) => estimateUsage(request, sent));
}
