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

/** The router's position goes back by some hundred messages; routers look at it when they join. */
export async function redeliver(ground: Ground, random: () => number): Promise<Struck> {
  const { redis, services, topics } = ground;
  const key = jobKeys(services.prefix).watermarks(topics.jobs);
  const back = earlierPositions(await redis.hgetall(key));
  if (back.length > 0) await redis.hset(key, ...back);
  return killAndRestart(ground, 'router', oneOfTwo('router', random));
}

/** Of the router's hash only its positions go back, not when it took them (`N:at`). */
export function earlierPositions(watermarks: Readonly<Record<string, string>>): (string | number)[] {
  return Object.entries(watermarks)
    .filter(([field]) => /^\d+$/.test(field))
    .flatMap(([partition, offset]) => [partition, Math.max(0, Number(offset) - 200)]);
}

/** How many messages that nobody can read one fault sends. */
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
/** Nothing is read or sent for so long. */
const IDLE_MS = 2_000;

/** Kafka goes and comes back while no request is there: every process has to find out by itself, both times. */
export async function idleKafkaOutage(ground: Ground): Promise<Struck> {
  const { system, ingresses } = ground;
  await delay(IDLE_MS);
  await system.kill('kafka');
  const noticed = await until(async () => (await readyOf(ingresses)).length === 0, WITHIN);
  if (!noticed) throw new Error('Kafka is away, and an idle ingress says that it is ready');
  await system.start('kafka');
  await allReady(ground);
  return { since: Date.now() };
}

/** Both topics of jobs and outcomes are deleted and made again, as by an operator who corrects their settings: every offset begins at 0. */
export async function recreateTopics(ground: Ground): Promise<Struck> {
  const { topics } = ground;
  await recreate(ground, [topics.jobs, topics.events]);
  await allReady(ground);
  return { since: Date.now() };
}

/** Readiness has to come without a request. */
async function allReady({ ingresses, services }: Ground): Promise<void> {
  const others = ['router', 'router-2', 'llm-worker', 'llm-worker-2', 'context-worker', 'metrics', 'cache'];
  const urls = [...ingresses, ...others.map((instance) => services.urlOf(instance))];
  const came = await until(async () => (await readyOf(urls)).length === urls.length, WITHIN);
  if (came) return;
  const ready = await readyOf(urls);
  const missing = urls.filter((url) => !ready.includes(url));
  throw new Error(`not ready again without a request: ${missing.join(', ')}`);
}

async function readyOf(urls: readonly string[]): Promise<string[]> {
  const ready = await Promise.all(urls.map(isReady));
  return urls.filter((_, at) => ready[at]);
}
