import { createHash, randomBytes } from 'node:crypto';
import { z } from 'zod';
import { isTerminal, type JobEvent } from '../../contracts/job-event.ts';
import { responseIdOf } from '../responses/response-id.ts';
import { responseStatus } from '../responses/response-status.ts';

/** The event types that an endpoint can subscribe to, with OpenAI's names. */
export const eventType = z.enum([
  'response.completed',
  'response.failed',
  'response.cancelled',
  'response.incomplete',
]);
export type EventType = z.infer<typeof eventType>;

/** OpenAI's webhook event; its JSON is the body of the delivery. */
export const webhookEvent = z.object({
  id: z.string().regex(/^evt_[0-9a-f]{32}$/),
  object: z.literal('event'),
  /** Seconds since the epoch. */
  created_at: z.int(),
  type: eventType,
  data: z.object({ id: z.string() }),
});
export type WebhookEvent = z.infer<typeof webhookEvent>;

/** The event of a job's end, computed from its log alone, so repeated calls return the same event. Undefined for an open job. */
export function eventOfJob(jobId: string, events: readonly JobEvent[]): WebhookEvent | undefined {
  const last = events.at(-1);
  if (!last || !isTerminal(last)) return undefined;
  return {
    id: `evt_${jobId.slice('job_'.length)}`,
    object: 'event',
    created_at: Math.floor(last.at / 1_000),
    type: eventType.parse(`response.${responseStatus(events)}`),
    data: { id: responseIdOf(jobId) },
  };
}

/** A test event, for a response that does not exist. */
export function sampleEvent(type: EventType, now: number): WebhookEvent {
  const digits = () => randomBytes(16).toString('hex');
  return {
    id: `evt_${digits()}`,
    object: 'event',
    created_at: Math.floor(now / 1_000),
    type,
    data: { id: `resp_${digits()}` },
  };
}

/** `whd_` and 32 hex digits, derived from the endpoint and the event. */
export function deliveryId(endpointId: string, eventId: string): string {
  return `whd_${createHash('sha256').update(`${endpointId}\0${eventId}`).digest('hex').slice(0, 32)}`;
}
