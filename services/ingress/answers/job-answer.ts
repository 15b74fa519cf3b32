import { type FastifyReply } from 'fastify';
import { type JobError, type JobEvent } from '../../../shared/contracts/job-event.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';

/** The job's events in order, in groups as they arrive. */
export type EventGroups = AsyncIterable<readonly { event: JobEvent }[]>;

/** Events are grouped so that a slow client never has more than one encoded group in memory. */
const GROUP_EVENTS = 500;

// ESLint requires generators to await something, but these events are all available.
export async function* atOnce(events: readonly JobEvent[]): EventGroups {
  for (let at = 0; at < events.length; at += GROUP_EVENTS)
    yield await Promise.resolve(events.slice(at, at + GROUP_EVENTS).map((event) => ({ event })));
}

/** Throws the error of a failed or cancelled job. */
export function throwIfFailed(event: JobEvent | undefined): void {
  if (event?.type === 'failed') throw fromJobError(event.error);
  if (event?.type === 'cancelled') throw new TurnoutError('cancelled');
}

function fromJobError({ code, message, param, retryAfterS, ...written }: JobError): TurnoutError {
  return new TurnoutError(code, { message, param, retryAfterS, written });
}

/** Sets the response headers that describe the job besides the answer. */
export function setJobHeaders(reply: FastifyReply, event: JobEvent): void {
  if (event.type === 'routed') reply.header('x-turnout-path', event.path);
  if (event.type === 'routed' && event.cache) reply.header('x-turnout-cache', event.cache);
  if (event.type === 'cached') reply.header('x-turnout-attempts', '0');
  if (event.type === 'cached') reply.header('x-turnout-saved-tokens', String(event.saved.total_tokens));
  if (event.type === 'assistant') reply.header('x-turnout-assistant', event.name);
  if (event.type === 'degraded') reply.header('x-turnout-degraded', degradedBy(reply, event.source));
  if (event.type === 'attempt' && event.attempt === 1) reply.header('x-turnout-attempts', '1');
  if (event.type === 'retry')
    reply.header('x-turnout-attempts', String(Number(reply.getHeader('x-turnout-attempts')) + 1));
}

/** The sources that the answer does without, each listed once: a second attempt may report the same source again. */
function degradedBy(reply: FastifyReply, source: string): string {
  const before = String(reply.getHeader('x-turnout-degraded') ?? '');
  const sources = new Set([...before.split(',').filter((name) => name !== ''), source]);
  return [...sources].join(',');
}
