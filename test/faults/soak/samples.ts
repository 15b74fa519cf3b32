import { existsSync, readdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { processInfo } from '../../../stack/process-info.ts';
import { serviceNames } from '../../../stack/services.ts';
import { type Ground } from '../suite/ground.ts';
import { type Reading } from './slope.ts';

/** Redis reports its own memory. For other processes the operating system reports it. */
export const REDIS = 'Redis';

const MIB = 1024 * 1024;

/** See `collect-on-signal.ts`. */
const COLLECT = 'SIGWINCH';
/** V8 gives memory back within some tens of milliseconds. */
const COLLECTED_MS = 1_000;

/** What a soak starts its services with, so that they collect garbage when they are asked to. */
export const COLLECTING = {
  NODE_OPTIONS: `--expose-gc --import=${new URL('collect-on-signal.ts', import.meta.url).href}`,
};

export interface Samples {
  /**
   * MiB, by process, after a garbage collection. One instance of each service runs through the whole soak and is measured; the other is
   * restarted and killed.
   */
  memory: Record<string, Reading[]>;
  take(): Promise<void>;
}

export function createSamples(ground: Ground): Samples {
  const memory: Record<string, Reading[]> = {};
  const note = (name: string, value: number) => (memory[name] ??= []).push({ at: Date.now(), value });
  return {
    memory,
    take: async () => {
      for (const name of serviceNames) process.kill(ground.services.pidOf(name), COLLECT);
      await delay(COLLECTED_MS);
      for (const name of serviceNames)
        note(name, (processInfo(ground.services.pidOf(name))?.memory ?? Number.NaN) / MIB);
      note(REDIS, (await redisMemory(ground)) / MIB);
    },
  };
}

async function redisMemory({ redis }: Ground): Promise<number> {
  const used = /used_memory:(\d+)/.exec(await redis.info('memory'))?.[1];
  if (used === undefined) throw new Error('INFO memory of Redis has no used_memory');
  return Number(used);
}

/** Number of open files and sockets of each measured instance. Empty on systems without /proc. */
export function handlesOf({ services }: Ground): Record<string, number> {
  if (!existsSync('/proc/self/fd')) return {};
  const count = (name: string) => readdirSync(`/proc/${services.pidOf(name)}/fd`).length;
  return Object.fromEntries(serviceNames.map((name) => [name, count(name)]));
}
