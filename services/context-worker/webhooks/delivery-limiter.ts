/**
 * How many tries one endpoint, and one user, may have under way in this process: an endpoint that hangs holds these and no
 * more. What finds no room goes back to the queue with a delay, and is woken when there is room. The delay is for those
 * whose process died before it could wake them: it grows with the line before that endpoint, so that a long one is not
 * looked at again and again.
 */
export interface DeliveryLimiter {
  enter(user: string, endpointId: string, deliveryId: string): DeliveryEntry;
  /** Wakes nobody any more, and waits for what is being woken. */
  close(): Promise<void>;
}

export type DeliveryEntry =
  /** `leave` must be called, once. */
  | { kind: 'entered'; leave: () => void }
  /** `waits` must be called once it is back in the queue: from then on it can be woken. */
  | { kind: 'full'; waitMs: number; waits: () => void };

/** Makes a delayed delivery due. False where it is not delayed any more. */
export type Resume = (deliveryId: string) => Promise<boolean>;

const PER_ENDPOINT = 4;
const PER_USER = 16;
/** The weight of the newest try in the average. */
const WEIGHT = 0.3;
const MIN_WAIT_MS = 1_000;
const MAX_WAIT_MS = 600_000;

/** Lives as long as anything is under way or waits in it. Times in milliseconds. */
interface Lane {
  readonly key: string;
  readonly limit: number;
  /** When each of the tries under way began. */
  readonly running: number[];
  /** In the order of their coming. */
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
    // Whoever is not woken since Redis is away comes by himself.
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

  /** An endpoint that hangs shows it by its oldest try, long before that one has ended. */
  function waitMs({ running, waiting, typicalMs, limit }: Lane): number {
    const oldestMs = Math.max(0, ...running.map((since) => now() - since));
    const wait = (waiting.size + 1) * (Math.max(typicalMs, oldestMs) / limit);
    return Math.round(Math.min(MAX_WAIT_MS, Math.max(MIN_WAIT_MS, wait)));
  }

  function waits({ key, limit }: Lane, deliveryId: string): void {
    const lane = laneOf(key, limit); // it may be another one meanwhile
    lanes.set(key, lane);
    lane.waiting.add(deliveryId);
    fill(lane); // there may be room since it was sent away
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
