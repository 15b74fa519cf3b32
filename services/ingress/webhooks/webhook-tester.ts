import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { type Redis } from '../../../shared/platform/redis/connect.ts';
import { type JobKeys } from '../../../shared/platform/redis/keys.ts';
import { type DeliveriesQueue } from '../../../shared/jobs/webhooks/deliveries-queue.ts';
import { type EventType } from '../../../shared/jobs/webhooks/event.ts';

/**
 * Sends a sample event through a context worker and waits for the result, because this process never connects to user-supplied
 * addresses. Only one test per endpoint runs at a time.
 */
export interface WebhookTester {
  /** The endpoint's HTTP status. Throws the reason if there is none, and `overloaded` if no worker took the test in time. */
  test(user: string, endpointId: string, type: EventType): Promise<number>;
}

interface WebhookTesterOptions {
  redis: Redis;
  keys: JobKeys;
  queue: Pick<DeliveriesQueue, 'test'>;
  /** How long the attempt itself may take, in milliseconds. */
  timeoutMs: number;
}

/** How long the test may wait in the queue, including behind other deliveries to that endpoint. Milliseconds. */
const QUEUE_TIMEOUT_MS = 10_000;

export function createWebhookTester({ redis, keys, queue, timeoutMs }: WebhookTesterOptions): WebhookTester {
  const waitMs = timeoutMs + QUEUE_TIMEOUT_MS;
  return {
    test: async (user, endpointId, type) => {
      const lease = keys.webhookTest(user, endpointId);
      if ((await redis.set(lease, '1', 'PX', waitMs, 'NX')) === null)
        throw new TurnoutError('webhook_test_running');
      try {
        const result = await queue.test(user, endpointId, type, waitMs);
        if (!result) throw new TurnoutError('overloaded');
        if ('status' in result) return result.status;
        throw new TurnoutError(result.error, { message: result.message });
      } finally {
        await redis.del(lease);
      }
    },
  };
}
