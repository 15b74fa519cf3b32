import { setTimeout as delay } from 'node:timers/promises';
import { newJobId } from '../../../shared/contracts/ids.ts';
import { JOB_TYPE } from '../../../shared/contracts/job-message.ts';
import { toHeaders } from '../../../shared/contracts/cloud-event.ts';
import { jobKeys } from '../../../shared/redis/keys.ts';
import { type ServiceName } from '../../../stack/services.ts';
import { type Ground, settingsOf } from './ground.ts';
import { type Kind } from './plan.ts';

/** Resolves when everything that was taken away is back, with the time (ms) from which recovery counts. */
type Strike = (ground: Ground, random: () => number) => Promise<{ since: number }>;

/** Longer than a worker's lock lives. */
const FREEZE_MS = 8_000;
const OUTAGE_MS = 1_000;
const BAD_NETWORK_MS = 3_000;
const LATENCY_MS = 150;

export const strikes: Readonly<Record<Kind, Strike>> = {
  'kill ingress': (ground, random) => killAndRestart(ground, 'ingress', oneOfTwo('ingress', random)),
  'kill router': (ground, random) => killAndRestart(ground, 'router', oneOfTwo('router', random)),
  'kill context-worker': (ground) => killAndRestart(ground, 'context-worker'),
  'kill llm-worker': (ground, random) => killAndRestart(ground, 'llm-worker', oneOfTwo('llm-worker', random)),
  'kill llm-worker twice': async (ground) => {
    const struck = await killAndRestart(ground, 'llm-worker');
    await killAndRestart(ground, 'llm-worker', 'llm-worker-2');
    return struck;
  },
  'freeze llm-worker': freezeWorker,
  'kill metrics': (ground) => killAndRestart(ground, 'metrics'),
  'kill cache': (ground) => killAndRestart(ground, 'cache'),
  'kill Redis': (ground) => outage(ground, 'redis'),
  'kill Kafka': (ground) => outage(ground, 'kafka'),
  'stop LiteLLM': (ground) => outage(ground, 'litellm'),
  'delay Redis': ({ redisProxy }) => badNetwork(redisProxy),
  'cut Redis': ({ redisProxy }) => cut(redisProxy),
  'delay Kafka': ({ kafkaProxy }) => badNetwork(kafkaProxy),
  'cut Kafka': ({ kafkaProxy }) => cut(kafkaProxy),
  redeliver,
  'poison messages': sendPoison,
};

/** How many messages that nobody can read one fault sends. */
export const POISON_PER_FAULT = 5;

function oneOfTwo(service: string, random: () => number): string {
  return random() < 0.5 ? service : `${service}-2`;
}

async function killAndRestart({ services }: Ground, name: ServiceName, instance: string = name) {
  const since = Date.now();
  await services.kill(instance);
  await services.start(name, instance, settingsOf(instance));
  return { since };
}

async function freezeWorker({ services }: Ground, random: () => number) {
  const since = Date.now();
  const pid = services.pidOf(oneOfTwo('llm-worker', random));
  process.kill(pid, 'SIGSTOP');
  await delay(FREEZE_MS);
  process.kill(pid, 'SIGCONT');
  return { since };
}

/** Recovery counts from the return: how long the part was away is not ours. */
async function outage({ system }: Ground, part: 'redis' | 'kafka' | 'litellm') {
  await system.kill(part);
  await delay(OUTAGE_MS);
  await system.start(part);
  return { since: Date.now() };
}

async function badNetwork(proxy: Ground['redisProxy']) {
  proxy.delay(LATENCY_MS);
  await delay(BAD_NETWORK_MS);
  proxy.delay(0);
  return { since: Date.now() };
}

function cut(proxy: Ground['redisProxy']) {
  proxy.cut();
  return Promise.resolve({ since: Date.now() });
}

/** The router's position goes back by some hundred messages; routers look at it when they join. */
async function redeliver(ground: Ground, random: () => number) {
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

async function sendPoison({ producer, topics }: Ground) {
  const poison = ['no JSON', '{"version":1}', '[]', '{"version":2,"jobId":"job_0"}', ''];
  await Promise.all(
    poison.slice(0, POISON_PER_FAULT).map((value) => {
      const headers = toHeaders({ id: newJobId('', ''), type: JOB_TYPE, source: 'fault-suite' });
      return producer.send({ topic: topics.jobs, key: 'user-1', value, headers });
    }),
  );
  return { since: Date.now() };
}
