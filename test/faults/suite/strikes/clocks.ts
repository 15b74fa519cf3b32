import { pathToFileURL } from 'node:url';
import { join } from 'node:path';
import { type ServiceName, serviceNames } from '../../../../stack/services.ts';
import { type Ground } from '../ground.ts';
import { oneOfTwo, restartWith, type Struck } from './strike.ts';

export const SKEW_MS = 15_000;

/** Services with two instances in the test system. */
const TWINS: ReadonlySet<ServiceName> = new Set(['ingress', 'router', 'llm-worker']);

/** Runs one process with a wall clock that is off by `skewMs`, including its client libraries, until all jobs of the round have ended. */
export async function skewClock(ground: Ground, random: () => number, skewMs: number): Promise<Struck> {
  const name = serviceNames[Math.floor(random() * serviceNames.length)] ?? 'router';
  const instance = [name, TWINS.has(name) ? oneOfTwo(name, random) : name] as const;
  const since = Date.now();
  await restartWith(ground, instance, skewed(skewMs));
  return {
    since,
    after: async () => {
      await restartWith(ground, instance, {});
      return [];
    },
  };
}

/** The environment of a process whose clock is wrong. */
export function skewed(skewMs: number): Record<string, string> {
  const preload = pathToFileURL(join(import.meta.dirname, 'skewed-clock.ts')).href;
  return { NODE_OPTIONS: `--import=${preload}`, CLOCK_SKEW_MS: String(skewMs) };
}
