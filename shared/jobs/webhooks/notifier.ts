import { type JobLog } from '../joblog/job-log.ts';
import { type DeliveriesQueue } from './deliveries-queue.ts';
import { type DeliveryLog, newDelivery } from './delivery-log.ts';
import { type Endpoint, type EndpointStore } from './endpoint-store.ts';
import { eventOfJob, type WebhookEvent } from './event.ts';

export interface NotifierOptions {
  jobLog: Pick<JobLog, 'read'>;
  endpoints: Pick<EndpointStore, 'list'>;
  deliveries: Pick<DeliveryLog, 'begin'>;
  queue: Pick<DeliveriesQueue, 'add'>;
}

/** The completion hook `notify`: queues one delivery for each endpoint that subscribes to the event of the job's end. Idempotent. */
export interface Notifier {
  notify(jobId: string): Promise<void>;
}

/** A sequence after the end of any log: reads the job's owner without its events. */
const NO_EVENTS = Number.MAX_SAFE_INTEGER;

export function createNotifier({ jobLog, endpoints, deliveries, queue }: NotifierOptions): Notifier {
  /** Writes the delivery log first: if the process dies before it queues the delivery, the next run of the hook queues it. */
  async function addOne(user: string, endpoint: Endpoint, event: WebhookEvent): Promise<void> {
    const { id: endpointId } = endpoint;
    const now = Date.now();
    const { state, createdAt } = await deliveries.begin(
      user,
      endpointId,
      newDelivery(endpointId, event, now),
    );
    if (state === 'delivered' || state === 'failed') return;
    await queue.add({ user, endpointId, createdAt, event });
  }

  return {
    notify: async (jobId) => {
      const owner = (await jobLog.read(jobId, NO_EVENTS))?.owner;
      const enabled = owner === undefined ? [] : (await endpoints.list(owner)).filter(isEnabled);
      if (owner === undefined || enabled.length === 0) return; // most users have no endpoints, so their logs are not read
      const view = await jobLog.read(jobId, 0);
      const event = eventOfJob(jobId, view?.entries.map((entry) => entry.event) ?? []);
      if (!event) return;
      const wanting = enabled.filter(({ eventTypes }) => eventTypes.includes(event.type));
      await Promise.all(wanting.map((endpoint) => addOne(owner, endpoint, event)));
    },
  };
}

function isEnabled({ disabled }: Endpoint): boolean {
  return disabled === undefined;
}
