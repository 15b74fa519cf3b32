import { type Response as SdkResponse, type ResponseStreamEvent } from 'openai/resources/responses/responses';
import {
  isTerminal,
  isVisible,
  type JobEvent,
  type TerminalEvent,
  type TokenUsage,
} from '../../../shared/contracts/job-event.ts';
import { type IncompleteReason, incompleteReasonOf } from '../../../shared/jobs/responses/response-status.ts';
import { modelOf } from '../answers/answered-by.ts';
import { addUsage, NO_USAGE } from '../../../shared/jobs/joblog/usage.ts';
import { type Draft } from './output-items.ts';
import {
  type ResponseBody,
  type ResponseHead,
  type ResponseProgress,
  toResponseBody,
} from './response-body.ts';
import { createResponseOutput } from './response-output.ts';

/**
 * Projects a job's log to an OpenAI response: its stream events, and the response object at each moment. Both depend only on the
 * log, so a stream that is read live, again or from the middle has the same events with the same numbers.
 *
 *   queued (background only) -> in_progress -> completed | incomplete | failed | cancelled
 */
export interface ResponseProjection {
  /** Takes the log's next event and returns its stream events, numbered from 0 over the whole log. */
  take(event: JobEvent): ResponseStreamEvent[];
  /** OpenAI's `response` object after the events taken so far. */
  body(): ResponseBody;
}

export function projectResponse(head: ResponseHead): ResponseProjection {
  const output = createResponseOutput(head.id.slice('resp_'.length));
  const progress: ResponseProgress = { status: initialStatus(head), output: [] };
  let usage: TokenUsage | undefined;
  let incomplete: IncompleteReason | undefined;
  const degraded = new Set<string>();
  let begun = false;
  let next = 0;

  const body = () => toResponseBody(head, { ...progress, output: output.render(), degraded: [...degraded] });
  const snapshot = () => body() as unknown as SdkResponse;

  function begin(): Draft[] {
    if (begun) return [];
    begun = true;
    const created: Draft = { type: 'response.created', response: snapshot() };
    return head.request.background ? [created, { type: 'response.queued', response: snapshot() }] : [created];
  }

  /** A response begins when its job is routed, because only then its model is known. */
  function draftsOf(event: JobEvent): Draft[] {
    if (event.type === 'accepted' || event.type === 'later') return [];
    progress.model ??= modelOf(event);
    return [...begin(), ...project(event)];
  }

  function project(event: JobEvent): Draft[] {
    if (event.type === 'cached' || (event.type === 'attempt' && event.attempt === 1)) return start();
    if (event.type === 'usage') usage = usage ? addUsage(usage, event.usage) : event.usage;
    if (event.type === 'degraded') degraded.add(event.source);
    if (event.type === 'choice_end') incomplete = incompleteReasonOf(event.reason);
    if (isVisible(event)) return output.take(event);
    return isTerminal(event) ? end(event) : [];
  }

  function start(): Draft[] {
    progress.status = 'in_progress';
    return [{ type: 'response.in_progress', response: snapshot() }];
  }

  function end(event: TerminalEvent): Draft[] {
    const whole = event.type === 'completed' && !incomplete;
    const closing = output.close(whole ? 'completed' : 'incomplete');
    Object.assign(progress, outcomeOf(event, incomplete), { usage: usage ?? NO_USAGE });
    // Like OpenAI, does not mark items as done that a failure cut off.
    return [
      ...(event.type === 'failed' ? [] : closing),
      { type: TERMINAL[progress.status] ?? 'response.failed', response: snapshot() },
    ];
  }

  return {
    body,
    take: (event) => draftsOf(event).map((draft) => ({ ...draft, sequence_number: next++ })),
  };
}

function initialStatus({ request }: ResponseHead): 'queued' | 'in_progress' {
  return request.background ? 'queued' : 'in_progress';
}

/** OpenAI has no event for a cancellation. The SDKs know `response.incomplete`, and its status shows the cancellation. */
const TERMINAL: Readonly<Partial<Record<string, 'response.completed' | 'response.incomplete'>>> = {
  completed: 'response.completed',
  incomplete: 'response.incomplete',
  cancelled: 'response.incomplete',
};

function outcomeOf(
  event: TerminalEvent,
  incomplete: IncompleteReason | undefined,
): Partial<ResponseProgress> {
  if (event.type === 'failed') return { status: 'failed', error: event.error };
  if (event.type === 'cancelled') return { status: 'cancelled' };
  return incomplete ? { status: 'incomplete', incomplete } : { status: 'completed', completedAt: event.at };
}
