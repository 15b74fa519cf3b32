import { z } from 'zod';
import { errorCodes } from '../../platform/errors/catalogue.ts';
import { type Redis } from '../../platform/redis/connect.ts';
import { type JobKeys } from '../../platform/redis/keys.ts';
import { defineScript } from '../../platform/redis/script.ts';
import { deliveryId, eventType, type WebhookEvent } from './event.ts';

/**
 * The state of a delivery. It contains neither the body nor a secret. Times are in milliseconds since the epoch.
 *
 *   pending -> (retrying ->) delivered | failed
 *
 * The completion hook `notify` writes `pending`, the delivery worker the other states.
 */
const deliverySchema = z.object({
  version: z.literal(1),
  id: z.string(),
  eventId: z.string(),
  eventType,
  responseId: z.string(),
  state: z.enum(['pending', 'retrying', 'delivered', 'failed']),
  createdAt: z.int(),
  /** How many times it was sent. */
  tries: z.int().min(0),
  /** The HTTP status of the last response. */
  status: z.int().optional(),
  /** Why the last try failed. */
  error: z.enum(errorCodes).optional(),
  lastTryAt: z.int().optional(),
  nextTryAt: z.int().optional(),
});
export type Delivery = Readonly<z.infer<typeof deliverySchema>>;

export interface DeliveryPage {
  deliveries: Delivery[];
  hasMore: boolean;
}

/** The last deliveries of each endpoint: at most 500, until 7 days after the last write. */
export interface DeliveryLog {
  /** Writes the delivery unless it exists. Returns the stored one. */
  begin(user: string, endpointId: string, delivery: Delivery): Promise<Delivery>;
  write(user: string, endpointId: string, delivery: Delivery): Promise<void>;
  /** Newest first, starting after the delivery with the id `after`. Undefined when that does not exist. */
  list(
    user: string,
    endpointId: string,
    page: { after?: string | undefined; limit: number },
  ): Promise<DeliveryPage | undefined>;
}

const DELIVERIES_KEPT = 500;
const KEPT_MS = 7 * 86_400_000;

export function newDelivery(endpointId: string, event: WebhookEvent, now: number): Delivery {
  const { id: eventId, type, data } = event;
  const id = deliveryId(endpointId, eventId);
  return {
    version: 1,
    id,
    eventId,
    eventType: type,
    responseId: data.id,
    state: 'pending',
    createdAt: now,
    tries: 0,
  };
}

export function createDeliveryLog(redis: Redis, keys: JobKeys): DeliveryLog {
  const script = defineScript(redis, new URL('scripts/log-delivery.lua', import.meta.url));
  const keysOf = (user: string, endpointId: string) => [
    keys.webhookDeliveries(user, endpointId),
    keys.webhookDeliveryRecords(user, endpointId),
  ];
  async function save(user: string, endpointId: string, delivery: Delivery, turn: 'first' | 'again') {
    const { id, createdAt } = delivery;
    const args = [id, createdAt, JSON.stringify(delivery), turn, DELIVERIES_KEPT, KEPT_MS];
    return read(z.string().parse(await script(keysOf(user, endpointId), args)));
  }

  return {
    begin: (user, endpointId, delivery) => save(user, endpointId, delivery, 'first'),
    write: async (user, endpointId, delivery) => {
      await save(user, endpointId, delivery, 'again');
    },
    list: async (user, endpointId, { after, limit }) => {
      const order = keys.webhookDeliveries(user, endpointId);
      const rank = after === undefined ? -1 : await redis.zrevrank(order, after);
      if (rank === null) return undefined;
      const ids = await redis.zrevrange(order, rank + 1, rank + 1 + limit);
      const shown = ids.slice(0, limit);
      const records = keys.webhookDeliveryRecords(user, endpointId);
      const texts = shown.length === 0 ? [] : await redis.hmget(records, ...shown);
      const deliveries = texts.flatMap((text) => (text === null ? [] : [read(text)]));
      return { deliveries, hasMore: ids.length > limit };
    },
  };
}

function read(text: string): Delivery {
  return deliverySchema.parse(JSON.parse(text));
}
