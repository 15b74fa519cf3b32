import { setTimeout as delay } from 'node:timers/promises';
import { newJobId } from '../../../shared/contracts/ids.ts';
import { JOB_TYPE } from '../../../shared/contracts/job-message.ts';
import { toHeaders } from '../../../shared/contracts/cloud-event.ts';
import { bullPrefix, LLM_QUEUE } from '../../../shared/queues/names.ts';
import { jobKeys } from '../../../shared/redis/keys.ts';
import { type ServiceName } from '../../../stack/services.ts';
import { type Ground, settingsOf } from './ground.ts';
import { type Kind } from './plan.ts';

/** Resolves when everything that was taken away is back, with the time (ms) from which recovery counts. */
type Strike = (ground: Ground, random: () => number) => Promise<{ since: number }>;

/** Longer than a worker's lock lives. */
const FREEZE_MS = 8_000;
/** Longer than Kafka's sessions and requests last. */
const LONG_FREEZE_MS = 20_000;
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
  'flush scripts': flushScripts,
  'lose queued jobs': loseQueuedJobs,
  'freeze Redis': (ground) => freeze(ground, 'redis', FREEZE_MS),
  'freeze Kafka': (ground) => freeze(ground, 'kafka', LONG_FREEZE_MS),
  'Redis away 5 s': (ground) => outage(ground, 'redis', 5_000),
  'Redis away 15 s': (ground) => outage(ground, 'redis', 15_000),
  'Redis away 60 s': (ground) => outage(ground, 'redis', 60_000),
  'large requests': sendLargeRequests,
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
async function outage({ system }: Ground, part: 'redis' | 'kafka' | 'litellm', awayMs = OUTAGE_MS) {
  await system.kill(part);
  await delay(awayMs);
  await system.start(part);
  return { since: Date.now() };
}

async function freeze({ system }: Ground, part: 'redis' | 'kafka', milliseconds: number) {
  await system.freeze(part, milliseconds);
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

async function flushScripts({ redis }: Ground) {
  const since = Date.now();
  await redis.script('FLUSH', 'SYNC');
  return { since };
}

/** What a Redis that came back without its last writes has: the jobs' records, and no nodes for BullMQ to run. */
async function loseQueuedJobs({ redis, services }: Ground) {
  const since = Date.now();
  const queue = `${bullPrefix(services.prefix)}:${LLM_QUEUE}`;
  const waiting = await redis.lrange(`${queue}:wait`, '0', '-1');
  const preparing = await redis.zrange(`${queue}:waiting-children`, '0', '-1');
  for (const jobId of [...waiting, ...preparing]) {
    await redis.lrem(`${queue}:wait`, 0, jobId);
    await redis.zrem(`${queue}:waiting-children`, jobId);
    await redis.del(`${queue}:${jobId}`, `${queue}:${jobId}:dependencies`);
  }
  return { since };
}

const MESSAGES = 500;
const MESSAGE_CHARACTERS = 60_000;
const MANY = 12;
const REQUEST_CHARACTERS = 220_000;

/** One request of 30 MB that fits into no window, and a dozen at once that are just below what one Kafka batch takes. */
async function sendLargeRequests({ ingresses, apiKeys }: Ground) {
  const since = Date.now();
  const ask = async (messages: object[], more = {}) => {
    const response = await fetch(`${ingresses[0]}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${apiKeys[0] ?? ''}` },
      body: JSON.stringify({ model: 'turnout-sim', messages, ...more }),
    });
    await response.text();
    return response.status;
  };
  const huge = Array.from({ length: MESSAGES }, () => ({
    role: 'user',
    content: '字'.repeat(MESSAGE_CHARACTERS / 3),
  }));
  const large = [
    { role: 'user', content: `${'word '.repeat(REQUEST_CHARACTERS / 5)} [[sim: tokens=3; tps=0]]` },
  ];
  const [hugeStatus, ...statuses] = await Promise.all([
    ask(huge),
    ...Array.from({ length: MANY }, () => ask(large)),
  ]);
  if (hugeStatus !== 400 || statuses.some((status) => status !== 200))
    throw new Error(`the large requests were answered with ${[hugeStatus, ...statuses].join(', ')}`);
  return { since };
}
