import { isTerminal, type JobEvent } from '../../contracts/job-event.ts';

export type ResponseStatus = 'queued' | 'in_progress' | 'completed' | 'incomplete' | 'failed' | 'cancelled';

/** Why an answer ended early, in OpenAI's terms. */
export type IncompleteReason = 'max_output_tokens' | 'content_filter';

const INCOMPLETE: ReadonlyMap<string, IncompleteReason> = new Map([
  ['length', 'max_output_tokens'],
  ['content_filter', 'content_filter'],
]);

/** The status of a response, computed from its job's log. */
export function responseStatus(events: readonly JobEvent[]): ResponseStatus {
  const last = events.at(-1);
  if (last && isTerminal(last))
    return last.type === 'completed' && incompleteReason(events) ? 'incomplete' : last.type;
  return events.some(({ type }) => type === 'attempt') ? 'in_progress' : 'queued';
}

/** Undefined when the answer ended normally. */
function incompleteReason(events: readonly JobEvent[]): IncompleteReason | undefined {
  const end = events.findLast((event) => event.type === 'choice_end');
  return end && incompleteReasonOf(end.reason);
}

/** The incomplete reason for a choice's `finish_reason`; undefined when the answer ended normally. */
export function incompleteReasonOf(finishReason: string): IncompleteReason | undefined {
  return INCOMPLETE.get(finishReason);
}
