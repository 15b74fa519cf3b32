import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import OpenAI from 'openai';
import pLimit from 'p-limit';
import { createJobLog, type JobLog } from '../../shared/jobs/joblog/job-log.ts';
import { createKafka } from '../../shared/platform/kafka/kafkajs.ts';
import { topicNames } from '../../shared/platform/kafka/topics.ts';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { closeRedis, connectRedis, type Redis } from '../../shared/platform/redis/connect.ts';
import { jobKeys } from '../../shared/platform/redis/keys.ts';
import { type Summary } from '../../services/metrics/summary.ts';
import { serviceNames } from '../../stack/services.ts';
import { until } from '../../stack/until.ts';
import { testEnv } from '../harness/env.ts';
import { type RunningServices, startServices } from '../harness/services.ts';
import { layoutOfRun } from '../harness/state.ts';
import { writeUsers } from '../harness/users.ts';
import { ask, callsOf, undisturbed } from './support/simulator.ts';
import { type Answer, startSteadyClients } from './support/steady-clients.ts';

jest.setTimeout(180_000);

describe('when instances of every service are added and removed under load', () => {
  let services: RunningServices;
  let answers: Answer[];

  beforeAll(async () => {
    services = await startServices();
    await Promise.all(serviceNames.map((name) => services.start(name, `${name}-2`)));
    const bodies = ['tokens=20; tps=15', 'tokens=40; tps=20', 'tokens=8; tps=0'].map((knobs) => ({
      model: 'turnout-sim',
      messages: ask('Where does the line from the harbour end?', knobs),
    }));
    const load = startSteadyClients({
      urls: [services.url, services.urlOf('ingress-2')],
      apiKey: testEnv().TURNOUT_API_KEY,
      askings: await Promise.all(bodies.map(async (body) => ({ body, expected: await undisturbed(body) }))),
      clients: 8,
    });
    const someAnswers = async () => {
      const enough = load.answered() + 8;
      expect(await until(() => Promise.resolve(load.answered() >= enough), { timeoutMs: 30_000 })).toBe(true);
    };
    // Each of these moves partitions: an added instance, a stopped one, a killed one.
    for (const name of ['router', 'metrics', 'context-worker', 'llm-worker'] as const) {
      await services.start(name, `${name}-3`);
      await someAnswers();
    }
    for (const instance of ['router-2', 'metrics-2', 'context-worker-2', 'llm-worker-2']) {
      await services.kill(instance, 'SIGTERM');
      await someAnswers();
    }
    for (const instance of ['router', 'metrics', 'context-worker']) {
      await services.kill(instance);
      await someAnswers();
    }
    answers = await load.stop();
  });

  afterAll(() => services.stop());

  test('no job is lost: each answer is complete and correct', () => {
    expect(answers.flatMap(({ complaint }) => complaint ?? [])).toEqual([]);
    expect(answers.length).toBeGreaterThan(60);
  });

  test('no job is doubled: the model is called once for each answer', async () => {
    const calls = await Promise.all(answers.map(({ jobId }) => callsOf(jobId ?? '')));
    expect(calls.filter(({ length }) => length !== 1)).toEqual([]);
  });

  test('the metrics count each job once', async () => {
    const completed = async () => {
      const response = await fetch(`${services.urlOf('metrics-3')}/summary`);
      return ((await response.json()) as Summary).completed;
    };
    await until(async () => (await completed()) >= answers.length, { timeoutMs: 30_000 });
    expect(await completed()).toBe(answers.length);
  });
});

const HOT = 400;
const NEIGHBOURS = 24;

describe('a user with many jobs', () => {
  let services: RunningServices;
  let redis: Redis;
  let jobLog: JobLog;
  let clients: OpenAI[];

  beforeAll(async () => {
    const file = join(layoutOfRun(testEnv().TURNOUT_TEST_STATE).state, 'scale-out-keys.json');
    const users = writeUsers(file, NEIGHBOURS + 1);
    services = await startServices({ env: { API_KEYS_FILE: file } });
    redis = connectRedis(testEnv().REDIS_URL, 'test', silentLogger);
    jobLog = createJobLog({ redis, keys: jobKeys(services.prefix), retentionMs: 600_000 });
    clients = users.map(({ key }) => new OpenAI({ baseURL: `${services.url}/v1`, apiKey: key }));
  });

  afterAll(async () => {
    await closeRedis(redis);
    await services.stop();
  });

  async function send(client: OpenAI | undefined): Promise<string> {
    const input = 'Where to? [[sim: tokens=2; ttft=0; tps=0]]';
    const response = await client?.responses.create({ model: 'turnout-sim', background: true, input });
    return `job_${response?.id.slice('resp_'.length) ?? ''}`;
  }

  /** Milliseconds since the epoch. Undefined for a job that has not been routed. */
  async function routedAt(jobId: string): Promise<number | undefined> {
    const view = await jobLog.read(jobId, 0);
    const routed = view?.entries.find(({ event }) => event.type === 'routed')?.event;
    return routed?.type === 'routed' ? routed.at : undefined;
  }

  /** The partition of each message, by job id. */
  async function partitions(): Promise<Map<string, number>> {
    const brokers = testEnv().KAFKA_BROKERS.split(',');
    const found = new Map<string, number>();
    await createKafka({ brokers, clientId: 'test', log: silentLogger }).readTopic({
      topic: topicNames(services.prefix).jobs,
      timeoutMs: 20_000,
      onBatch: ({ partition, messages }) => {
        for (const { headers } of messages) found.set(headers['ce_id'] ?? '', partition);
        return Promise.resolve();
      },
    });
    return found;
  }

  test("does not delay jobs in other partitions: they are routed before the last of that user's jobs", async () => {
    const [hot, ...neighbours] = clients;
    await services.kill('router');
    const limit = pLimit(32);
    const his = await Promise.all(Array.from({ length: HOT }, () => limit(() => send(hot))));
    const theirs = await Promise.all(neighbours.map((client) => send(client)));
    const partitionOf = await partitions();
    await services.start('router');

    const all = [...his, ...theirs];
    const isRouted = async () => (await Promise.all(all.map(routedAt))).every((at) => at !== undefined);
    expect(await until(isRouted, { timeoutMs: 60_000 })).toBe(true);
    const at = new Map(await Promise.all(all.map(async (id) => [id, (await routedAt(id)) ?? 0] as const)));
    const hisLast = Math.max(...his.map((id) => at.get(id) ?? 0));
    const elsewhere = theirs.filter((id) => partitionOf.get(id) !== partitionOf.get(his[0] ?? ''));
    expect(elsewhere.length).toBeGreaterThan(NEIGHBOURS / 2);
    expect(elsewhere.filter((id) => (at.get(id) ?? Infinity) >= hisLast)).toEqual([]);
  });
});
