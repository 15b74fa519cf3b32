import { Cluster } from 'ioredis';
import { z } from 'zod';
import { type Logger } from '../log/logger.ts';
import { periodically } from '../util/periodically.ts';
import { type Redis } from './connect.ts';
import { onReplaced } from './on-replaced.ts';
import { defineScript } from './script.ts';

/**
 * Decides whether an expired lease means that its holder is gone. Right after Redis was unavailable it does not, because live processes
 * could not renew their leases. The time when Redis became available again is stored in Redis itself (`scripts/steady.lua`), so that
 * all processes apply the same grace period, even one that has just started.
 */
export interface Steadiness {
  /** Asks Redis. Call it after reading a lease and before acting on it, because Redis may have been unavailable in between. */
  isSteady(): Promise<boolean>;
  /** Starts to ask every second, which is how pauses of Redis are detected. */
  start(): void;
  close(): Promise<void>;
}

interface SteadinessOptions {
  redis: Redis;
  redisPrefix: string;
  log: Logger;
  /** Grace period after Redis became available again, in milliseconds; expired leases do not count during it. */
  graceMs?: number;
}

const EVERY_MS = 1_000;
/** Longer pauses count as unavailability. A BullMQ lock (4 s, renewed every second) survives a pause of this length. Milliseconds. */
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
  // The script runs on one master only; the others hold leases too.
  if (redis instanceof Cluster) onReplaced(redis, log, () => (replacedAt = performance.now()));

  async function isSteady(): Promise<boolean> {
    const sinceMs = z.int().parse(await steady([`${redisPrefix}:steady`], [LONGEST_PAUSE_MS]));
    const now = (sinceMs < 0 || sinceMs > graceMs) && performance.now() - replacedAt > graceMs;
    if (!now && wasSteady)
      log.warn({ graceMs }, 'The job Redis was unavailable; ignoring expired leases during the grace period');
    wasSteady = now;
    return now;
  }

  const asking = periodically({
    everyMs: EVERY_MS,
    run: async () => {
      await isSteady();
    },
    onError: (error) =>
      log.warn({ err: error }, 'Cannot check whether the job Redis was unavailable; retrying in 1 s'),
  });
  return { isSteady, start: asking.start, close: asking.close };
}
