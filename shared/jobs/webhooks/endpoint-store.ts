import { z } from 'zod';
import { TurnoutError } from '../../platform/errors/turnout-error.ts';
import { type Redis } from '../../platform/redis/connect.ts';
import { type JobKeys } from '../../platform/redis/keys.ts';
import { defineScript } from '../../platform/redis/script.ts';
import { eventType } from './event.ts';

/** Times are in milliseconds since the epoch. */
const endpointSchema = z.object({
  version: z.literal(1),
  /** `we_` and 32 hex digits. */
  id: z.string(),
  name: z.string(),
  url: z.string(),
  eventTypes: z.array(eventType),
  createdAt: z.int(),
  updatedAt: z.int(),
  /** Why the endpoint is disabled: by its owner, or because it answered 410 (`gone`). Absent: it is enabled. */
  disabled: z.enum(['owner', 'gone']).optional(),
  /** Encrypted (`secrets.ts`). */
  secret: z.string(),
  /** See `hintOf`. */
  hint: z.string(),
  /** The secret before the last rotation. Until `until`, deliveries are signed with it as well. */
  oldSecret: z.object({ sealed: z.string(), until: z.int() }).optional(),
});
export type Endpoint = Readonly<z.infer<typeof endpointSchema>>;

/** The webhook endpoints of each user, in the job Redis. An id of another user's endpoint is not found. */
export interface EndpointStore {
  /** Throws `webhook_limit`. */
  add(user: string, endpoint: Endpoint): Promise<void>;
  /** Newest first. */
  list(user: string): Promise<Endpoint[]>;
  find(user: string, id: string): Promise<Endpoint | undefined>;
  /** Returns the changed endpoint; undefined when it does not exist. `change` may be called more than once. */
  change(user: string, id: string, change: (endpoint: Endpoint) => Endpoint): Promise<Endpoint | undefined>;
  /** False when it does not exist. */
  remove(user: string, id: string): Promise<boolean>;
}

export const MAX_ENDPOINTS = 20;

const saveReply = z.enum(['saved', 'changed', 'full']);

export function createEndpointStore(redis: Redis, keys: JobKeys): EndpointStore {
  const script = defineScript(redis, new URL('scripts/save-endpoint.lua', import.meta.url));
  const save = async (user: string, id: string, expected: string, next: Endpoint) =>
    saveReply.parse(
      await script([keys.webhookEndpoints(user)], [id, expected, JSON.stringify(next), MAX_ENDPOINTS]),
    );
  const load = (user: string, id: string) => redis.hget(keys.webhookEndpoints(user), id);

  return {
    add: async (user, endpoint) => {
      if ((await save(user, endpoint.id, '', endpoint)) === 'full') throw new TurnoutError('webhook_limit');
    },
    list: async (user) => {
      const all = Object.values(await redis.hgetall(keys.webhookEndpoints(user))).map(read);
      return all.sort((a, b) => b.createdAt - a.createdAt || a.id.localeCompare(b.id));
    },
    find: async (user, id) => {
      const text = await load(user, id);
      return text === null ? undefined : read(text);
    },
    change: async (user, id, change) => {
      for (;;) {
        const before = await load(user, id);
        if (before === null) return undefined;
        const next = change(read(before));
        if ((await save(user, id, before, next)) === 'saved') return next;
      }
    },
    remove: async (user, id) => {
      const removed = await redis.hdel(keys.webhookEndpoints(user), id);
      await redis.del(keys.webhookDeliveries(user, id), keys.webhookDeliveryRecords(user, id));
      return removed === 1;
    },
  };
}

function read(text: string): Endpoint {
  return endpointSchema.parse(JSON.parse(text));
}
