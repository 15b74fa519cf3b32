import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { createKafka } from '../../shared/platform/kafka/kafkajs.ts';
import { type Batch } from '../../shared/platform/kafka/port.ts';
import { topicNames } from '../../shared/platform/kafka/topics.ts';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { until } from '../../stack/until.ts';
import { testEnv } from '../harness/env.ts';
import { type RunningServices, startServices } from '../harness/services.ts';
import { failureOf, noSecondChance, openaiClient, textFile } from './support.ts';

jest.setTimeout(30_000);

/** Runs the rollout guide's commands on the logs that the services write. */
const MODEL = 'turnout-sim';
/** Words that must not appear in any log. Each is in a different part of a request. */
const CANARIES = {
  prompt: 'Quokkaprompt',
  system: 'Quokkasystem',
  document: 'Quokkadocument',
  filename: 'Quokkafile',
  argument: 'Quokkaargument',
  failed: 'Quokkafailed',
  cut: 'Quokkacut',
  malformed: 'Quokkamalformed',
  parameter: 'Quokkaparameter',
  wrongKey: 'sk-turnout-quokkakey',
  idempotencyKey: 'Quokkaidempotency',
  metadata: 'Quokkametadata',
  endUser: 'Quokkaenduser',
};

const completedLine = z.looseObject({
  jobId: z.string(),
  userHash: z.string(),
  status: z.string(),
  msg: z.string().regex(/^Request completed in \d+$/),
});

interface Job {
  jobId: string;
  /** Milliseconds that the client waited. */
  waited: number;
}

let services: RunningServices | undefined;
let logs: string;
const jobs: Job[] = [];

beforeAll(async () => {
  services = await startServices({ env: noSecondChance });
  logs = services.logs;
  await haveEverythingSaid(services);
  const written = () => Promise.resolve(completed('turnout.log').length >= jobs.length);
  if (!(await until(written, { timeoutMs: 10_000 }))) throw new Error('Not every job has its line');
  // Stops the services, so that everything has been written, including the lines of the shutdown.
  await services.stop();
}, 120_000);

afterAll(() => services?.stop(), 60_000);

async function haveEverythingSaid(running: RunningServices): Promise<void> {
  const client = openaiClient(running, { maxRetries: 0 });
  const fetchedJob = async (
    messages: Parameters<typeof client.chat.completions.create>[0]['messages'],
    more = {},
  ) => {
    const startedAt = performance.now();
    const response = await client.chat.completions
      .create(
        { model: MODEL, messages, ...more },
        { headers: { 'Idempotency-Key': `${CANARIES.idempotencyKey}-${jobs.length}` } },
      )
      .asResponse();
    await response.text();
    jobs.push({
      jobId: response.headers.get('x-turnout-job-id') ?? '',
      waited: performance.now() - startedAt,
    });
  };
  const user = (content: string) => [{ role: 'user' as const, content }];
  for (let i = 0; i < 5; i += 1) {
    await fetchedJob(user(`What is a ${CANARIES.prompt} number ${i}? [[sim: ttft=${i * 50}]]`), {
      stream: i % 2 === 0,
    });
  }
  await fetchedJob([{ role: 'system', content: `You are ${CANARIES.system}.` }, ...user('Hi')], {
    user: CANARIES.endUser,
    metadata: { note: CANARIES.metadata },
  });
  const file = textFile(
    `${CANARIES.filename}.txt`,
    `The ${CANARIES.document} leaves at ten. `.repeat(20_000),
  );
  await fetchedJob([{ role: 'user', content: [{ type: 'text', text: 'When?' }, file] }]);
  const parameters = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] };
  await fetchedJob(user(`call get_weather for city: ${CANARIES.argument}`), {
    tools: [{ type: 'function', function: { name: 'get_weather', parameters } }],
  });
  // A failed job has its line as well. Its job id comes from that line, because the error response has only the request's id.
  for (const knobs of ['fail=500', 'fail=429', 'tps=200; tokens=20; cut=10']) {
    const startedAt = performance.now();
    const error = await failureOf(
      client.chat.completions.create({
        model: MODEL,
        messages: user(`${CANARIES.failed} ${CANARIES.cut} [[sim: ${knobs}]]`),
      }),
    );
    const { headers } = error as { headers: Headers };
    jobs.push({ jobId: headers.get('x-turnout-job-id') ?? '', waited: performance.now() - startedAt });
  }
  await refusals(running);
}

/** Requests that never become jobs. */
async function refusals({ url }: RunningServices): Promise<void> {
  const post = async (body: string, key = testEnv().TURNOUT_API_KEY) => {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
    const response = await fetch(`${url}/v1/chat/completions?${CANARIES.parameter}`, {
      method: 'POST',
      headers,
      body,
    });
    await response.text();
    expect(response.ok).toBe(false);
  };
  await post(`{"model": ${CANARIES.malformed}`);
  await post(
    JSON.stringify({ model: CANARIES.parameter, messages: [{ role: CANARIES.parameter, content: 1 }] }),
  );
  await post(JSON.stringify({ model: CANARIES.parameter, messages: [{ role: 'user', content: 'x' }] }));
  await post('{}', CANARIES.wrongKey);
}

function shell(command: string): string {
  return execFileSync('sh', ['-c', command], { cwd: logs, encoding: 'utf8' }).trim();
}

function completed(file: string): z.infer<typeof completedLine>[] {
  const lines = readFileSync(join(logs, file), 'utf8').split('\n');
  return lines
    .filter((text) => text.includes('Request completed'))
    .map((text) => completedLine.parse(JSON.parse(text)));
}

describe.each(['turnout.log', 'llm-worker.log'])("the guide's commands over %s", (file) => {
  test('find one line for each job, answered or failed', () => {
    const ids = completed(file).map(({ jobId }) => jobId);
    expect(ids.toSorted()).toEqual(jobs.map(({ jobId }) => jobId).toSorted());
    expect(Number(shell(`grep -c "Request completed" ${file}`))).toBe(jobs.length);
  });

  test('compute the correct average latency', () => {
    const each = completed(file).map(({ msg }) => Number(msg.split(' ').at(-1)));
    const average = each.reduce((sum, ms) => sum + ms, 0) / each.length;
    const command = `grep "Request completed" ${file} | awk '{print $NF}' | awk '{sum+=$1; n++} END {print sum/n}'`;
    expect(Number(shell(command))).toBeCloseTo(average, 1);
    expect(average).toBeGreaterThan(0);
    for (const { jobId, msg } of completed(file)) {
      const waited = jobs.find((job) => job.jobId === jobId)?.waited ?? 0;
      expect(Number(msg.split(' ').at(-1))).toBeLessThanOrEqual(waited + 5);
    }
  });

  test('count no cache hit or miss if there was none', () => {
    expect(shell(`awk '/HIT/{h++}/MISS/{m++} END {print h+0, m+0}' ${file}`)).toBe('0 0');
  });
});

test('each job logs its backend, and each call its completion or error', () => {
  const count = (phrase: string) => Number(shell(`grep -c "${phrase}" turnout.log || true`));
  expect(count('Using LiteLLM path')).toBe(jobs.length);
  expect(count('LITELLM REQUEST COMPLETED')).toBe(jobs.length - 3);
  expect(count('LiteLLM Error')).toBe(3);
});

test('providers without models in the proxy are named once at start', () => {
  const lines = shell('grep -o "No [A-Za-z]* key available" llm-worker.log').split('\n');
  expect(lines).toEqual(['OpenAI', 'Azure', 'Bedrock', 'Gemini'].map((name) => `No ${name} key available`));
});

test('every line is JSON with msg as the last key', () => {
  const lines = readFileSync(join(logs, 'turnout.log'), 'utf8').split('\n').filter(Boolean);
  expect(lines.length).toBeGreaterThan(jobs.length);
  for (const text of lines) {
    expect(Object.keys(JSON.parse(text) as object).at(-1)).toBe('msg');
  }
});

describe('no log shows', () => {
  const folders = () => [logs, join(testEnv().TURNOUT_TEST_STATE, 'logs')];
  const everything = () =>
    folders().flatMap((folder) =>
      readdirSync(folder).map((name) => ({ name, text: readFileSync(join(folder, name), 'utf8') })),
    );

  test.each(Object.entries(CANARIES))('the %s', (_name, canary) => {
    const encoded = Buffer.from(canary).toString('base64').slice(0, -4);
    const visible = everything().filter(({ text }) => text.includes(canary) || text.includes(encoded));
    expect(visible.map(({ name }) => name)).toEqual([]);
  });

  test('a key, a secret or a raw user id', () => {
    const { TURNOUT_API_KEY, TURNOUT_API_KEY_2, TURNOUT_SECRET, TURNOUT_ADMIN_KEY, LITELLM_MASTER_KEY } =
      testEnv();
    const secrets = [
      TURNOUT_API_KEY,
      TURNOUT_API_KEY_2,
      TURNOUT_SECRET,
      TURNOUT_ADMIN_KEY,
      LITELLM_MASTER_KEY,
    ];
    const visible = everything().filter(({ text }) => secrets.some((secret) => text.includes(secret)));
    expect(visible.map(({ name }) => name)).toEqual([]);
    const ours = everything().filter(({ text }) => /"user-[12]"/.test(text));
    expect(ours.map(({ name }) => name)).toEqual([]);
  });
});

/** All message values on a topic of this run. */
async function messagesOn(topic: string): Promise<string[]> {
  const kafka = createKafka({
    brokers: testEnv().KAFKA_BROKERS.split(','),
    clientId: 'logs-test',
    log: silentLogger,
  });
  const values: string[] = [];
  const onBatch = ({ messages }: Batch) => {
    for (const { value, key, headers } of messages) values.push(JSON.stringify([value, key, headers]));
    return Promise.resolve();
  };
  await kafka.readTopic({ topic, timeoutMs: 15_000, onBatch });
  return values;
}

describe('no topic shows', () => {
  test('a key or a secret', async () => {
    const env = testEnv();
    const secrets = [env.TURNOUT_API_KEY, env.TURNOUT_API_KEY_2, env.TURNOUT_SECRET, env.TURNOUT_ADMIN_KEY];
    const topics = topicNames(services?.prefix ?? '');
    for (const topic of [topics.jobs, topics.events, topics.deadLetters, topics.control]) {
      const values = await messagesOn(topic);
      const never = [...secrets, env.LITELLM_MASTER_KEY, CANARIES.wrongKey];
      expect(values.filter((value) => never.some((secret) => value.includes(secret)))).toEqual([]);
    }
  });

  test('user content, except the job topic', async () => {
    const { events } = topicNames(services?.prefix ?? '');
    const values = await messagesOn(events);
    expect(values.length).toBeGreaterThanOrEqual(jobs.length);
    const words = [...Object.values(CANARIES), 'user-1'];
    expect(values.filter((value) => words.some((word) => value.includes(word)))).toEqual([]);
  });
});
