import { setTimeout as delay } from 'node:timers/promises';
import { newJobId } from '../../../../shared/platform/ids.ts';
import { JOB_TYPE } from '../../../../shared/contracts/job-message.ts';
import { toHeaders } from '../../../../shared/contracts/cloud-event.ts';
import { jobKeys } from '../../../../shared/platform/redis/keys.ts';
import { until } from '../../../../stack/until.ts';
import { isReady } from '../../../harness/services.ts';
import { type Ground } from '../ground.ts';
import { recreate } from './kafka-topics.ts';
import { killAndRestart } from './processes.ts';
import { oneOfTwo, type Struck } from './strike.ts';

/** Sets the router's offsets back by two hundred messages. Routers read them when they join. */
export async function redeliver(ground: Ground, random: () => number): Promise<Struck> {
  const { redis, services, topics } = ground;
  const key = jobKeys(services.prefix).watermarks(topics.jobs);
  const back = earlierPositions(await redis.hgetall(key));
  if (back.length > 0) await redis.hset(key, ...back);
  return killAndRestart(ground, 'router', oneOfTwo('router', random));
}

/** Resets only the offsets in the router's hash, not their timestamps (`N:at`). */
export function earlierPositions(watermarks: Readonly<Record<string, string>>): (string | number)[] {
  return Object.entries(watermarks)
    .filter(([field]) => /^\d+$/.test(field))
    .flatMap(([partition, offset]) => [partition, Math.max(0, Number(offset) - 200)]);
}

/** Number of unreadable messages that one fault sends. */
export const POISON_PER_FAULT = 5;

export async function sendPoison({ producer, topics }: Ground): Promise<Struck> {
  const poison = ['no JSON', '{"version":1}', '[]', '{"version":2,"jobId":"job_0"}', ''];
  await Promise.all(
    poison.slice(0, POISON_PER_FAULT).map((value) => {
      const headers = toHeaders({ id: newJobId('', ''), type: JOB_TYPE, source: 'fault-suite' });
      return producer.send({ topic: topics.jobs, key: 'user-1', value, headers });
    }),
  );
  return { since: Date.now() };
}

const WITHIN = { timeoutMs: 60_000, everyMs: 100 } as const;
/** Nothing is read or sent for this long. */
const IDLE_MS = 2_000;

/** Kafka goes away and comes back while there are no requests: every process has to notice both without traffic. */
export async function idleKafkaOutage(ground: Ground): Promise<Struck> {
  const { system, ingresses } = ground;
  await delay(IDLE_MS);
  await system.kill('kafka');
  const noticed = await until(async () => (await readyOf(ingresses)).length === 0, WITHIN);
  if (!noticed) throw new Error('Kafka is down, but an idle ingress still reports ready after 60 s');
  await system.start('kafka');
  await allReady(ground);
  return { since: Date.now() };
}

/** Deletes and recreates the topics of jobs and outcomes, like an operator who corrects their settings: every offset begins at 0 again. */
export async function recreateTopics(ground: Ground): Promise<Struck> {
  const { topics } = ground;
  await recreate(ground, [topics.jobs, topics.events]);
  await allReady(ground);
  return { since: Date.now() };
}

/** Every process must become ready without a request. */
async function allReady({ ingresses, services }: Ground): Promise<void> {
  const others = ['router', 'router-2', 'llm-worker', 'llm-worker-2', 'context-worker', 'metrics', 'cache'];
  const urls = [...ingresses, ...others.map((instance) => services.urlOf(instance))];
  const came = await until(async () => (await readyOf(urls)).length === urls.length, WITHIN);
  if (came) return;
  const ready = await readyOf(urls);
  const missing = urls.filter((url) => !ready.includes(url));
  throw new Error(`Not ready again after 60 s without a request: ${missing.join(', ')}`);
}

async function readyOf(urls: readonly string[]): Promise<string[]> {
  const ready = await Promise.all(urls.map(isReady));
  return urls.filter((_, at) => ready[at]);
}
