import { type Logger } from '../../../shared/platform/log/logger.ts';
import { type DeliveryJob, type TestResult } from '../../../shared/jobs/webhooks/deliveries-queue.ts';
import { type Delivery, type DeliveryLog, newDelivery } from '../../../shared/jobs/webhooks/delivery-log.ts';
import { type Endpoint, type EndpointStore } from '../../../shared/jobs/webhooks/endpoint-store.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { deliveryId } from '../../../shared/jobs/webhooks/event.ts';
import { type DeliveryLimiter } from './delivery-limiter.ts';
import { nextTryMs } from './retry-plan.ts';
import { type Sent } from './send.ts';

export interface DeliverDeps {
  endpoints: Pick<EndpointStore, 'find' | 'change'>;
  deliveries: Pick<DeliveryLog, 'write'>;
  limiter: DeliveryLimiter;
  send: (endpoint: Endpoint, job: DeliveryJob) => Promise<Sent>;
  /** How long to retry, from a delivery's `createdAt`. Milliseconds. */
  retryForMs: number;
  /** Called for each try with `delivered` or the error's code. */
  observe: (result: string) => void;
  log: Logger;
}

/** What BullMQ must do with the job. */
export type DeliveryVerdict =
  | { kind: 'ended'; result?: TestResult }
  /** The try failed; the next one is due after `afterMs`. */
  | { kind: 'again'; afterMs: number; error: TurnoutError }
  /** There was no try: the limit was reached, or this process is stopping. Call `delayed` when the job is back in the queue. */
  | { kind: 'later'; afterMs: number; delayed?: () => void };

/**
 * Handles one due delivery:
 *
 *   due -> limit reached: later -> due
 *   due -> tried: delivered | again -> due, for `retryForMs` in all | failed
 *   due -> the endpoint was disabled or removed: failed
 *
 * `tries`: how often it was sent before.
 */
export async function deliver(deps: DeliverDeps, job: DeliveryJob, tries: number): Promise<DeliveryVerdict> {
  const entry = deps.limiter.enter(job.user, job.endpointId, deliveryId(job.endpointId, job.event.id));
  if (entry.kind === 'full') return { kind: 'later', afterMs: entry.waitMs, delayed: entry.waits };
  try {
    const endpoint = await deps.endpoints.find(job.user, job.endpointId);
    const sendable = endpoint && (job.test || endpoint.disabled === undefined);
    const sent = sendable ? await deps.send(endpoint, job) : notSendable();
    if (sent.kind === 'failed' && sent.error.code === 'shutting_down') return { kind: 'later', afterMs: 0 };
    deps.observe(sent.kind === 'delivered' ? sent.kind : sent.error.code);
    if (job.test) return { kind: 'ended', result: testResult(sent) };
    return await settle(deps, job, {
      sent,
      tries: tries + (sendable ? 1 : 0),
      known: endpoint !== undefined,
    });
  } finally {
    entry.leave();
  }
}

function notSendable(): Sent {
  return { kind: 'failed', error: new TurnoutError('webhook_disabled') };
}

function testResult(sent: Sent): TestResult {
  if (sent.kind === 'delivered') return { status: sent.status };
  const { status, error } = sent;
  return status === undefined ? { error: error.code, message: error.message } : { status };
}

interface Settling {
  sent: Sent;
  tries: number;
  /** Whether the endpoint exists, so that its log may be written. */
  known: boolean;
}

async function settle(
  deps: DeliverDeps,
  job: DeliveryJob,
  { sent, tries, known }: Settling,
): Promise<DeliveryVerdict> {
  const afterMs = sent.kind === 'failed' ? pauseAfter(deps, job, sent, tries) : undefined;
  const record = logged(job, sent, { tries, afterMs });
  if (known) await deps.deliveries.write(job.user, job.endpointId, record);
  if (sent.kind === 'failed' && sent.error.code === 'webhook_gone') await disable(deps, job);
  logDelivery(deps.log, record, { endpointId: job.endpointId, afterMs });
  if (sent.kind === 'delivered' || afterMs === undefined) return { kind: 'ended' };
  return { kind: 'again', afterMs, error: sent.error };
}

/** Milliseconds until the next try; undefined if there is none. */
function pauseAfter(
  { retryForMs }: DeliverDeps,
  { createdAt }: DeliveryJob,
  { error, retryAfterMs }: Extract<Sent, { kind: 'failed' }>,
  tries: number,
): number | undefined {
  if (!error.retryable) return undefined;
  return nextTryMs({ tries, createdAt, now: Date.now(), retryForMs, retryAfterMs });
}

function logged(
  job: DeliveryJob,
  sent: Sent,
  { tries, afterMs }: { tries: number; afterMs: number | undefined },
): Delivery {
  const now = Date.now();
  const error = sent.kind === 'failed' ? sent.error.code : undefined;
  return {
    ...newDelivery(job.endpointId, job.event, job.createdAt),
    state: sent.kind === 'delivered' ? 'delivered' : afterMs === undefined ? 'failed' : 'retrying',
    tries,
    ...(sent.status !== undefined && { status: sent.status }),
    ...(error && { error }),
    lastTryAt: now,
    ...(afterMs !== undefined && { nextTryAt: now + afterMs }),
  };
}

async function disable({ endpoints, log }: DeliverDeps, { user, endpointId }: DeliveryJob): Promise<void> {
  await endpoints.change(user, endpointId, (endpoint) =>
    endpoint.disabled ? endpoint : { ...endpoint, disabled: 'gone', updatedAt: Date.now() },
  );
  log.warn({ endpointId }, 'Webhook endpoint answered 410 and was disabled');
}

/** Logs the result, without the URL, which may contain a token, and without the user. */
function logDelivery(
  log: Logger,
  { id, eventId, eventType, state, tries, status, error: code }: Delivery,
  { endpointId, afterMs }: { endpointId: string; afterMs: number | undefined },
): void {
  const fields = { deliveryId: id, eventId, eventType, endpointId, tries, status, code, afterMs };
  if (state === 'delivered') log.info(fields, 'Webhook delivered');
  else if (state === 'retrying') log.warn(fields, 'Webhook delivery failed; retrying');
  else log.error(fields, 'Webhook delivery failed permanently');
}
