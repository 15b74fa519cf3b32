import { setTimeout as delay } from 'node:timers/promises';
import { type ServiceName } from '../../../../stack/services.ts';
import { type Ground, settingsOf } from '../ground.ts';
import { oneOfTwo, type Struck } from './strike.ts';

/** Longer than a worker's lock lasts. */
const WORKER_FREEZE_MS = 8_000;
const OUTAGE_MS = 1_000;
const BAD_NETWORK_MS = 3_000;
const LATENCY_MS = 150;

export async function killAndRestart(
  { services }: Ground,
  name: ServiceName,
  instance: string = name,
): Promise<Struck> {
  const since = Date.now();
  await services.kill(instance);
  await services.start(name, instance, settingsOf(instance));
  return { since };
}

export async function killBothWorkers(ground: Ground): Promise<Struck> {
  const struck = await killAndRestart(ground, 'llm-worker');
  await killAndRestart(ground, 'llm-worker', 'llm-worker-2');
  return struck;
}

export async function freezeWorker({ services }: Ground, random: () => number): Promise<Struck> {
  const since = Date.now();
  const pid = services.pidOf(oneOfTwo('llm-worker', random));
  process.kill(pid, 'SIGSTOP');
  await delay(WORKER_FREEZE_MS);
  process.kill(pid, 'SIGCONT');
  return { since };
}

/** Recovery counts from the part's return, because the length of the outage is not ours to influence. */
export async function outage(
  { system }: Ground,
  part: 'redis' | 'kafka' | 'litellm',
  awayMs = OUTAGE_MS,
): Promise<Struck> {
  await system.kill(part);
  await delay(awayMs);
  await system.start(part);
  return { since: Date.now() };
}

export async function freeze(
  { system }: Ground,
  part: 'redis' | 'kafka',
  milliseconds: number,
): Promise<Struck> {
  await system.freeze(part, milliseconds);
  return { since: Date.now() };
}

export async function badNetwork(proxy: Ground['redisProxy']): Promise<Struck> {
  proxy.delay(LATENCY_MS);
  await delay(BAD_NETWORK_MS);
  proxy.delay(0);
  return { since: Date.now() };
}

export function cut(proxy: Ground['redisProxy']): Promise<Struck> {
  proxy.cut();
  return Promise.resolve({ since: Date.now() });
}
