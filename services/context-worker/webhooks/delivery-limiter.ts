/**
 * Limits the parallel tries of one endpoint and of one user in this process, so that a hanging endpoint occupies only its own slots. A
 * delivery over the limit goes back to the queue with a delay, and is resumed early when a slot becomes free. The delay matters only if
 * this process dies before it can resume the delivery. It grows with the number of waiting deliveries, so that a long backlog is not
 * checked again and again.
 */
export interface DeliveryLimiter {
  enter(user: string, endpointId: string, deliveryId: string): DeliveryEntry;
  /** Stops resuming deliveries, and waits for those that are being resumed. */
  close(): Promise<void>;
}

export type DeliveryEntry =
  /** `leave` must be called exactly once. */
  | { kind: 'entered'; leave: () => void }
  /** `waits` must be called when the delivery is back in the queue; from then on it can be resumed. */
  | { kind: 'full'; waitMs: number; waits: () => void };

/** Makes a delayed delivery due. Returns false if it is no longer delayed. */
export type Resume = (deliveryId: string) => Promise<boolean>;

const PER_ENDPOINT = 4;
const PER_USER = 16;
/** The weight of the newest try in the average. */
const WEIGHT = 0.3;
const MIN_WAIT_MS = 1_000;
const MAX_WAIT_MS = 600_000;

/** The tries of one endpoint or user. Exists while a try runs or a delivery waits. Times in milliseconds. */
interface Lane {
  readonly key: string;
  readonly limit: number;
  /** The start time of each running try. */
  readonly running: number[];
  /** In the order of arrival. */
  readonly waiting: Set<string>;
  typicalMs: number;
}

export function createDeliveryLimiter(wake: Resume, now: () => number = Date.now): DeliveryLimiter {
  const lanes = new Map<string, Lane>();
  const filling = new Set<Promise<void>>();
  let closed = false;

  function laneOf(key: string, limit: number): Lane {
    return lanes.get(key) ?? { key, limit, running: [], waiting: new Set(), typicalMs: 0 };
  }

  function join(lane: Lane, since: number): void {
    lanes.set(lane.key, lane);
    lane.running.push(since);
  }

  function leave(lane: Lane, since: number): void {
    lane.running.splice(lane.running.indexOf(since), 1);
    lane.typicalMs += WEIGHT * (now() - since - lane.typicalMs);
    fill(lane);
  }

  function fill(lane: Lane): void {
    // If Redis is unavailable, the delivery becomes due after its delay.
    const work = wakeFirst(lane).catch(() => undefined);
    filling.add(work);
    void work.finally(() => filling.delete(work));
  }

  async function wakeFirst(lane: Lane): Promise<void> {
    let room = lane.limit - lane.running.length;
    for (const deliveryId of lane.waiting) {
      if (room <= 0 || closed) return;
      lane.waiting.delete(deliveryId);
      if (await wake(deliveryId)) room -= 1;
    }
    if (lane.running.length === 0 && lane.waiting.size === 0) lanes.delete(lane.key);
  }

  /** Uses the age of the oldest running try, which shows a hanging endpoint long before that try ends. */
  function waitMs({ running, waiting, typicalMs, limit }: Lane): number {
    const oldestMs = Math.max(0, ...running.map((since) => now() - since));
    const wait = (waiting.size + 1) * (Math.max(typicalMs, oldestMs) / limit);
    return Math.round(Math.min(MAX_WAIT_MS, Math.max(MIN_WAIT_MS, wait)));
  }

  function waits({ key, limit }: Lane, deliveryId: string): void {
    const lane = laneOf(key, limit); // the lane may have been replaced meanwhile
    lanes.set(key, lane);
    lane.waiting.add(deliveryId);
    fill(lane); // a slot may have become free meanwhile
  }

  return {
    enter: (user, endpointId, deliveryId) => {
      const both = [laneOf(`endpoint ${endpointId}`, PER_ENDPOINT), laneOf(`user ${user}`, PER_USER)];
      for (const lane of both) lane.waiting.delete(deliveryId);
      const full = both.find(({ running, limit }) => running.length >= limit);
      if (full) return { kind: 'full', waitMs: waitMs(full), waits: () => waits(full, deliveryId) };
      const since = now();
      for (const lane of both) join(lane, since);
      return {
        kind: 'entered',
        leave: () => {
          for (const lane of both) leave(lane, since);
        },
      };
    },
    close: async () => {
      closed = true;
      await Promise.all(filling);
    },
  };
}
