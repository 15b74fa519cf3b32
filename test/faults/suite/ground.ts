import { createHash, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { silentLogger } from '../../../shared/platform/log/logger.ts';
import { createKafka } from '../../../shared/platform/kafka/kafkajs.ts';
import { type Producer } from '../../../shared/platform/kafka/port.ts';
import { topicNames, type Topics } from '../../../shared/platform/kafka/topics.ts';
import { closeRedis, connectRedisWaiting, type Redis } from '../../../shared/platform/redis/connect.ts';
import { testEnv } from '../../harness/env.ts';
import { layoutOfRun } from '../../harness/state.ts';
import { type RunningServices, startServices } from '../../harness/services.ts';
import { startSystem, type System } from '../../harness/system.ts';
import { type JobStore, openJobStore } from '../support/job-store.ts';
import { USERS } from './plan.ts';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts';

/** The system under test: all six services, the critical ones with two instances, and a faulty network in front of Redis and Kafka. */
export interface Ground {
  services: RunningServices;
  system: System;
  redisProxy: TcpProxy;
  kafkaProxy: TcpProxy;
  /** The test's own connections bypass the faulty network. */
  store: JobStore;
  redis: Redis;
  producer: Producer;
  topics: Topics;
  /** URLs of the two ingresses. */
  ingresses: readonly [string, string];
  /** One for each user. */
  apiKeys: readonly string[];
  /** The key of an additional user, who sends only the requests that a fault needs. */
  extraKey: string;
  /** The folders of the blob store and of the job Redis. */
  blobs: string;
  redisFolder: string;
  /** The state folder of this run. */
  state: string;
  stop(): Promise<void>;
}

/** The deadline of every job: a job without an answer by then fails with a typed error. Milliseconds. */
export const DEADLINE_MS = 60_000;

/** `env`: settings of the services, over the defaults. */
export async function startGround(
  say: (line: string) => void,
  env: Readonly<Record<string, string>> = {},
): Promise<Ground> {
  const cleanUps: (() => Promise<unknown>)[] = [];
  const cleanUpAll = async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  };
  let stopping: Promise<void> | undefined;
  // Later callers wait as well: a process that exits in the meantime would leave the rest running.
  const stop = () => (stopping ??= cleanUpAll());
  try {
    const [redisProxy, kafkaProxy] = await Promise.all([startTcpProxy(), startTcpProxy()]);
    cleanUps.push(
      () => redisProxy.close(),
      () => kafkaProxy.close(),
    );
    const system = await startSystem({ say, kafkaAdvertisedPort: kafkaProxy.port });
    cleanUps.push(() => system.stop());
    const run = enter(system);
    redisProxy.aimAt(portOf(run.REDIS_URL));
    kafkaProxy.aimAt(portOf(`kafka://${run.KAFKA_BROKERS}`));

    const users = createUsers(join(run.TURNOUT_TEST_STATE, 'fault-suite-keys.json'));
    const brokers = `127.0.0.1:${kafkaProxy.port}`;
    const blobs = join(run.TURNOUT_TEST_STATE, 'fault-suite-blobs');
    const services = await startTwice({
      REDIS_URL: through(run.REDIS_URL, redisProxy.port),
      KAFKA_BROKERS: brokers,
      API_KEYS_FILE: users.file,
      BLOB_DIR: blobs,
      LOG_RETENTION_MS: '7200000',
      ...env,
    });
    cleanUps.push(() => services.stop());
    const store = openJobStore(services.prefix);
    const redis = connectRedisWaiting(run.REDIS_URL, 'witness', silentLogger);
    cleanUps.push(
      () => store.close(),
      () => closeRedis(redis),
    );
    const kafka = createKafka({ brokers: [brokers], clientId: 'fault-suite', log: silentLogger });
    const producer = await kafka.producer();
    cleanUps.push(() => producer.close());
    return {
      services,
      system,
      redisProxy,
      kafkaProxy,
      store,
      redis,
      producer,
      topics: topicNames(services.prefix),
      apiKeys: users.keys.slice(0, USERS),
      extraKey: users.keys[USERS] ?? '',
      blobs,
      redisFolder: join(layoutOfRun(run.TURNOUT_TEST_STATE).data, 'redis'),
      state: run.TURNOUT_TEST_STATE,
      ingresses: [services.url, services.urlOf('ingress-2')],
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** From here on, `testEnv` returns this system's addresses. */
function enter(system: System) {
  Object.assign(process.env, system.env);
  return testEnv();
}

/** The second router sends its users directly to the provider, because LiteLLM alone could not carry the load. */
async function startTwice(env: Readonly<Record<string, string>>): Promise<RunningServices> {
  const services = await startServices({ env });
  await Promise.all([
    services.start('ingress', 'ingress-2'),
    services.start('llm-worker', 'llm-worker-2'),
    services.start('router', 'router-2', DIRECT),
  ]);
  return services;
}

/** The settings with which an instance is started. */
export function settingsOf(instance: string): Readonly<Record<string, string>> {
  return instance === 'router-2' ? DIRECT : {};
}

const DIRECT = { ENABLE_LITELLM: 'false' } as const;

function createUsers(file: string): { file: string; keys: string[] } {
  const keys = Array.from({ length: USERS + 1 }, () => `sk-turnout-${randomBytes(32).toString('base64url')}`);
  const known = keys.map((key, at) => ({
    id: `key_${at + 1}`,
    user: `user-${at + 1}`,
    sha256: createHash('sha256').update(key).digest('hex'),
  }));
  writeFileSync(file, JSON.stringify({ keys: known }), { mode: 0o600 });
  return { file, keys };
}

function portOf(url: string): number {
  return Number(new URL(url).port);
}

function through(url: string, port: number): string {
  const changed = new URL(url);
  changed.port = String(port);
  return changed.href;
}
