import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import type OpenAI from 'openai';
import { type Response } from 'openai/resources/responses/responses';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { closeRedis, connectRedis } from '../../shared/platform/redis/connect.ts';
import { ensureVenv } from '../../stack/install/python.ts';
import { bundleLambda } from '../../stack/lambda/bundle.ts';
import { repositoryRoot } from '../../stack/layout.ts';
import { until } from '../../stack/until.ts';
import { testEnv } from '../harness/env.ts';
import { busEvent, functionUrlEvent, httpApiEvent, sqsEvent } from '../harness/lambda/events.ts';
import { type Invocation } from '../harness/lambda/runtime-api.ts';
import { type HandlerName, type Sandbox, startSandbox } from '../harness/lambda/sandbox.ts';
import { type RunningS3, startS3 } from '../harness/s3.ts';
import { type RunningServices, startServices } from '../harness/services.ts';
import { keysLike } from '../harness/scan-keys.ts';
import { layoutOfRun } from '../harness/state.ts';
import { openaiClient, upstreamCalls } from './support.ts';

/** The bundle, run as in Lambda: behind its runtime API, with events in the shapes that AWS documents. */
jest.setTimeout(60_000);

let services: RunningServices;
let s3: RunningS3;
let client: OpenAI;
const folder = mkdtempSync(join(tmpdir(), 'turnout-lambda-'));
const sandboxes: Sandbox[] = [];

const settings = () => ({
  ...testEnv(),
  ...s3.env,
  TOPIC_PREFIX: services.prefix,
  REDIS_PREFIX: services.prefix,
  MIGRATION_PHASE: '3',
});

async function sandboxOf(handler: HandlerName, env: Record<string, string> = {}): Promise<Sandbox> {
  const sandbox = await startSandbox({ folder, handler, env: { ...settings(), ...env } });
  sandboxes.push(sandbox);
  return sandbox;
}

beforeAll(async () => {
  s3 = await startS3();
  [services] = await Promise.all([startServices({ env: s3.env }), bundleLambda(folder)]);
  client = openaiClient(services);
}, 120_000);

afterAll(async () => {
  await Promise.all(sandboxes.map((sandbox) => sandbox.stop()));
  await services.stop();
  await s3.stop();
  rmSync(folder, { recursive: true });
});

const authorization = () => `Bearer ${testEnv().TURNOUT_API_KEY}`;
const question = (text: string, more: object = {}) => ({
  path: '/v1/chat/completions',
  headers: { authorization: authorization() },
  body: { model: 'turnout-sim', messages: [{ role: 'user', content: text }], ...more },
});

interface Answer {
  statusCode: number;
  headers: Record<string, string>;
  body: string;
}

const answerOf = ({ body }: Invocation) => JSON.parse(body.toString()) as Answer;
const bodyOf = (invocation: Invocation): unknown => JSON.parse(answerOf(invocation).body);

test('a request through an HTTP API becomes an ordinary job and is answered', async () => {
  const lambda = await sandboxOf('http');
  const answered = answerOf(await lambda.invoke(httpApiEvent(question('My seat is 12. What is my seat?'))));
  expect(answered.statusCode).toBe(200);
  expect(answered.headers).toMatchObject({ 'x-turnout-path': 'litellm', 'content-type': /json/ });
  const { choices } = JSON.parse(answered.body) as OpenAI.ChatCompletion;
  expect(choices[0]?.message.content).toContain('seat is 12');
  await expect(upstreamCalls(answered.headers['x-turnout-job-id'] ?? '')).resolves.toHaveLength(1);

  const unknown = await lambda.invoke(
    httpApiEvent({ ...question('hi'), headers: { authorization: 'Bearer no' } }),
  );
  expect(answerOf(unknown).statusCode).toBe(401);
  expect(bodyOf(unknown)).toMatchObject({ error: { code: 'invalid_api_key' } });
  const broken = await lambda.invoke(httpApiEvent({ ...question('hi'), body: '{' }));
  expect(bodyOf(broken)).toMatchObject({ error: { code: 'invalid_json' } });
  const elsewhere = await lambda.invoke(httpApiEvent({ ...question('hi'), path: '/v2' }));
  expect(answerOf(elsewhere).statusCode).toBe(404);
});

test('every part of the API works with events: a file upload, a query, a stored response, a list', async () => {
  const lambda = await sandboxOf('http');
  const headers = { authorization: authorization() };
  const form = new FormData();
  form.set('purpose', 'user_data');
  form.set('file', new Blob(['The depot has nine tracks.'], { type: 'text/plain' }), 'depot.txt');
  const upload = new Request('http://x/', { method: 'POST', body: form });
  const uploaded = await lambda.invoke(
    httpApiEvent({
      path: '/v1/files',
      headers: { ...headers, 'content-type': upload.headers.get('content-type') ?? '' },
      body: await upload.text(),
    }),
  );
  const { id } = bodyOf(uploaded) as { id: string };
  const listed = await lambda.invoke(
    httpApiEvent({ method: 'GET', path: '/v1/files', query: 'purpose=user_data&limit=5', headers }),
  );
  expect(bodyOf(listed)).toMatchObject({ data: [{ id, filename: 'depot.txt' }] });
  const content = await lambda.invoke(
    httpApiEvent({ method: 'GET', path: `/v1/files/${id}/content`, headers }),
  );
  const { body, isBase64Encoded } = JSON.parse(content.body.toString()) as {
    body: string;
    isBase64Encoded: boolean;
  };
  expect(Buffer.from(body, isBase64Encoded ? 'base64' : 'utf8').toString()).toBe(
    'The depot has nine tracks.',
  );
});

test('a Function URL streams: the head at once, and each part as soon as it exists', async () => {
  const lambda = await sandboxOf('stream');
  const asked = question('[[sim: tokens=6; tps=8]] go', { stream: true });
  const invocation = await lambda.invoke(functionUrlEvent(asked));
  expect(invocation).toMatchObject({
    kind: 'response',
    streamed: true,
    contentType: 'application/vnd.awslambda.http-integration-response',
  });
  const end = invocation.body.indexOf(Buffer.alloc(8));
  expect(JSON.parse(invocation.body.subarray(0, end).toString())).toMatchObject({
    statusCode: 200,
    headers: { 'content-type': /event-stream/, 'x-turnout-job-id': expect.any(String) },
  });
  const text = invocation.body.subarray(end + 8).toString();
  expect(text).toContain('"delta"');
  expect(text.endsWith('data: [DONE]\n\n')).toBe(true);
  const times = invocation.chunks.map(({ at }) => at);
  expect((times.at(-1) ?? 0) - (times[0] ?? 0)).toBeGreaterThan(400);

  const refused = await lambda.invoke(functionUrlEvent({ ...asked, body: '{' }));
  expect(refused.body.toString()).toMatch(/"statusCode":400.*\0{8}.*invalid_json/s);
});

const order = (text: string, more: object = {}, key = testEnv().TURNOUT_API_KEY) =>
  JSON.stringify({
    headers: { Authorization: `Bearer ${key}` },
    body: { model: 'turnout-sim', input: text, ...more },
  });

/** The response of a queued job, found by its text. */
async function responseOf(text: string, ids: readonly string[]): Promise<Response> {
  let found: Response | undefined;
  await until(
    async () => {
      const responses = await Promise.all(ids.map((id) => client.responses.retrieve(id)));
      found = responses.find(
        ({ status, output_text }) => status === 'completed' && output_text.includes(text),
      );
      return found !== undefined;
    },
    { timeoutMs: 20_000, everyMs: 50 },
  );
  if (!found) throw new Error(`No response contains "${text}"`);
  return found;
}

test('queue messages become background jobs; invalid ones are returned as failures, and a repeated message is one job', async () => {
  const lambda = await sandboxOf('sqs');
  const good = { id: '7f2d1f0e-0001', body: order('My wagon is 31. What is my wagon?') };
  const batch = sqsEvent([
    good,
    { id: 'no-json', body: 'hello' },
    { id: 'no-key', body: order('hi', {}, 'sk-unknown') },
    { id: 'streams', body: order('hi', { stream: true }) },
    { id: 'no-model', body: JSON.stringify({ headers: { authorization: authorization() }, body: {} }) },
  ]);
  const failed = JSON.parse((await lambda.invoke(batch)).body.toString()) as unknown;
  expect(failed).toEqual({
    batchItemFailures: ['no-json', 'no-key', 'streams', 'no-model'].map((itemIdentifier) => ({
      itemIdentifier,
    })),
  });
  expect(lambda.log()).toContain('Not a job: the message is not JSON');
  expect(lambda.log()).not.toContain('sk-unknown');

  await lambda.invoke(sqsEvent([good]));
  const again = await client.responses.create(
    { model: 'turnout-sim', input: 'My wagon is 31. What is my wagon?', background: true },
    { headers: { 'Idempotency-Key': good.id } },
  );
  const { id } = await responseOf('wagon is 31', [again.id]);
  await expect(upstreamCalls(id.replace('resp_', 'job_'))).resolves.toHaveLength(1);
});

test('after a failed message of a FIFO queue, later messages of its group are returned as failures too', async () => {
  const lambda = await sandboxOf('sqs');
  const batch = sqsEvent([
    { id: 'a1', group: 'a', body: order('one') },
    { id: 'a2', group: 'a', body: 'broken' },
    { id: 'b1', group: 'b', body: order('two') },
    { id: 'a3', group: 'a', body: order('three') },
  ]);
  const answer = JSON.parse((await lambda.invoke(batch)).body.toString()) as unknown;
  expect(answer).toEqual({ batchItemFailures: [{ itemIdentifier: 'a2' }, { itemIdentifier: 'a3' }] });
});

test('a failed message of a standard queue affects no other, even if messages have groups', async () => {
  const lambda = await sandboxOf('sqs');
  const { Records } = sqsEvent([
    { id: 's1', group: 'a', body: 'broken' },
    { id: 's2', group: 'a', body: order('two') },
  ]);
  const standard = Records.map((record) => ({ ...record, eventSourceARN: 'arn:aws:sqs:us-east-2:1:jobs' }));
  const answer = JSON.parse((await lambda.invoke({ Records: standard })).body.toString()) as unknown;
  expect(answer).toEqual({ batchItemFailures: [{ itemIdentifier: 's1' }] });
});

test('a bus event becomes a background job; an invalid one causes an error, which Lambda retries', async () => {
  const lambda = await sandboxOf('eventBridge');
  const detail = JSON.parse(order('My coach is 44. What is my coach?')) as unknown;
  await expect(lambda.invoke(busEvent('bus-0001', detail))).resolves.toMatchObject({ kind: 'response' });
  const again = await client.responses.create(
    { model: 'turnout-sim', input: 'My coach is 44. What is my coach?', background: true },
    { headers: { 'Idempotency-Key': 'bus-0001' } },
  );
  await expect(responseOf('coach is 44', [again.id])).resolves.toBeDefined();

  const refused = await lambda.invoke(busEvent('bus-0002', { headers: {}, body: {} }));
  expect(refused.kind).toBe('error');
  expect(refused.body.toString()).toContain('Job not accepted (status 401)');
  const foreign = await lambda.invoke({ hello: 'world' });
  expect(foreign.body.toString()).toMatch(/"errorType":"EventError".*Not an event of an event bus/);
});

test('a sandbox that was frozen for longer than its reader lease still receives its answers', async () => {
  const lambda = await sandboxOf('http');
  await lambda.invoke(httpApiEvent(question('warm up')));
  const redis = connectRedis(testEnv().REDIS_URL, 'test', silentLogger);
  const leases = async () => keysLike(redis, `${services.prefix}:live:*:alive`);
  const standing = (await leases()).length;
  lambda.freeze();
  const lapsed = await until(async () => (await leases()).length < standing, {
    timeoutMs: 20_000,
    everyMs: 100,
  });
  expect(lapsed).toBe(true);
  await closeRedis(redis);
  lambda.thaw();
  const asked = question('[[sim: ttft=4000]] My berth is 8. What is my berth?');
  const answered = await lambda.invoke(httpApiEvent(asked));
  expect(answerOf(answered)).toMatchObject({ statusCode: 200, body: expect.stringContaining('berth is 8') });
});

test('invocations share one connection to Kafka', async () => {
  const lambda = await sandboxOf('http');
  const port = testEnv().KAFKA_BROKERS.split(':')[1] ?? '';
  for (let index = 0; index < 20; index += 1) {
    const { connections } = await lambda.invoke(httpApiEvent(question(`question ${index}`)));
    expect(connections[port]).toBe(1);
  }
});

test("the example template is valid for AWS's own linter", async () => {
  const { TURNOUT_TEST_STATE: state } = testEnv();
  const venv = await ensureVenv('cfn-lint', ['cfn-lint'], {
    cache: layoutOfRun(state).cache,
    say: () => undefined,
  });
  const template = join(repositoryRoot, 'deploy', 'lambda', 'template.yaml');
  const { stdout } = await promisify(execFile)(join(venv, 'bin', 'cfn-lint'), [
    '--non-zero-exit-code',
    'informational',
    template,
  ]);
  expect(stdout).toBe('');
}, 120_000);

test('a function whose blob store workers cannot reach does not start', async () => {
  const starting = sandboxOf('http', { BLOB_STORE: 'disk', BLOB_DIR: '/tmp/blobs' });
  await expect(starting).rejects.toThrow(
    'BLOB_STORE must be s3, or BLOB_DIR must be a mounted file system under /mnt/',
  );
});
