/**
 * How many tries one endpoint, and one user, may have under way in this process: an endpoint that hangs holds these and no
 * more. What finds no room is told when to come back. It is placed behind those that were told before, at the pace at which
 * tries end there, so that a long queue before a slow endpoint is not looked at again and again.
 */
export interface Gate {
  enter(user: string, endpointId: string): Entry;
}

export type Entry =
  /** `leave` must be called, once. */
  { kind: 'entered'; leave: () => void } | { kind: 'full'; waitMs: number };

const PER_ENDPOINT = 4;
const PER_USER = 16;
/** Until a try has ended, an endpoint is taken for a quick one. */
const FIRST_GUESS_MS = 100;
/** The weight of the newest try in the average. */
const WEIGHT = 0.3;
const MIN_WAIT_MS = 100;
/** Within it an endpoint that answers again is found to do so. */
const MAX_WAIT_MS = 600_000;

/** Lives as long as anything is under way in it. */
interface Lane {
  readonly key: string;
  readonly limit: number;
  running: number;
  typicalMs: number;
  /** When the next one that finds no room may come. */
  freeAt: number;
}

export function createGate(now: () => number = Date.now): Gate {
  const lanes = new Map<string, Lane>();

  function laneOf(key: string, limit: number): Lane {
    return lanes.get(key) ?? { key, limit, running: 0, typicalMs: FIRST_GUESS_MS, freeAt: 0 };
  }

  function join(lane: Lane): void {
    lanes.set(lane.key, lane);
    lane.running += 1;
  }

  function leave(lane: Lane, ms: number): void {
    lane.running -= 1;
    lane.typicalMs += WEIGHT * (ms - lane.typicalMs);
    if (lane.running === 0) lanes.delete(lane.key);
  }

  function place(lane: Lane): number {
    lane.freeAt = Math.max(now(), lane.freeAt) + lane.typicalMs / lane.limit;
    return Math.round(Math.min(MAX_WAIT_MS, Math.max(MIN_WAIT_MS, lane.freeAt - now())));
  }

  return {
    enter: (user, endpointId) => {
      const both = [laneOf(`endpoint ${endpointId}`, PER_ENDPOINT), laneOf(`user ${user}`, PER_USER)];
      const full = both.find(({ running, limit }) => running >= limit);
      if (full) return { kind: 'full', waitMs: place(full) };
      for (const lane of both) join(lane);
      const since = now();
      return {
        kind: 'entered',
        leave: () => {
          for (const lane of both) leave(lane, now() - since);
        },
      };
    },
  };
}
