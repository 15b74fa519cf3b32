import { Cluster } from 'ioredis';
import { z } from 'zod';
import { type Logger } from '../log/logger.ts';
import { periodically } from '../util/periodically.ts';
import { type Redis } from './connect.ts';
import { onReplaced } from './on-replaced.ts';
import { defineScript } from './script.ts';

/**
 * Whether an expired lease means that its holder is gone. It does not while Redis has just come back: live processes could not renew
 * their leases meanwhile. When Redis came back is kept in Redis itself (`scripts/steady.lua`), so that every process gives the same grace,
 * also one that has just started.
 */
export interface Steadiness {
  /** Asks Redis. Ask after reading a lease and before acting on it: Redis may have been away in between. */
  isSteady(): Promise<boolean>;
  /** Asks each second from now on: how Redis's pauses are noticed. */
  start(): void;
  close(): Promise<void>;
}

interface SteadinessOptions {
  redis: Redis;
  redisPrefix: string;
  log: Logger;
  /** Milliseconds after Redis came back in which no expired lease counts. */
  graceMs?: number;
}

const EVERY_MS = 1_000;
/** Longer pauses count as absence. A BullMQ lock (4 s, renewed each second) outlives this one. Milliseconds. */
const LONGEST_PAUSE_MS = 2_500;
const GRACE_MS = 30_000;

export function createSteadiness({
  redis,
  redisPrefix,
  log,
  graceMs = GRACE_MS,
}: SteadinessOptions): Steadiness {
  const steady = defineScript(redis, new URL('scripts/steady.lua', import.meta.url));
  let replacedAt = -Infinity;
  let wasSteady = true;
  // A cluster's other masters have other leases than the one that answers here.
  if (redis instanceof Cluster) onReplaced(redis, log, () => (replacedAt = performance.now()));

  async function isSteady(): Promise<boolean> {
    const sinceMs = z.int().parse(await steady([`${redisPrefix}:steady`], [LONGEST_PAUSE_MS]));
    const now = (sinceMs < 0 || sinceMs > graceMs) && performance.now() - replacedAt > graceMs;
    if (!now && wasSteady)
      log.warn({ graceMs }, 'The job Redis was away; expired leases do not count for a while');
    wasSteady = now;
    return now;
  }

  const asking = periodically({
    everyMs: EVERY_MS,
    run: async () => {
      await isSteady();
    },
    onError: (error) =>
      log.warn({ err: error }, 'Cannot tell whether the job Redis was away; retrying in 1 s'),
  });
  return { isSteady, start: asking.start, close: asking.close };
}
