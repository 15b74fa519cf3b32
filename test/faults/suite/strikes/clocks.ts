import { pathToFileURL } from 'node:url';
import { join } from 'node:path';
import { type ServiceName, serviceNames } from '../../../../stack/services.ts';
import { type Ground } from '../ground.ts';
import { oneOfTwo, restartWith, type Struck } from './strike.ts';

export const SKEW_MS = 15_000;

/** Those that the ground runs twice. */
const TWINS: ReadonlySet<ServiceName> = new Set(['ingress', 'router', 'llm-worker']);

/** Until all jobs of the round have ended, one process runs with a wall clock that is wrong by so much; its client libraries too. */
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

/** The settings of a process whose clock is wrong. */
export function skewed(skewMs: number): Record<string, string> {
  const preload = pathToFileURL(join(import.meta.dirname, 'skewed-clock.ts')).href;
  return { NODE_OPTIONS: `--import=${preload}`, CLOCK_SKEW_MS: String(skewMs) };
}
