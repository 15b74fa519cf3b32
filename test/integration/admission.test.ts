import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { fastify, type FastifyInstance } from 'fastify';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAdmissionDesk } from '../../services/ingress/admission.ts';
import { chatRoute } from '../../services/ingress/chat/route.ts';
import { installErrorHandling } from '../../services/ingress/errors.ts';
import { validatorCompiler } from '../../services/ingress/validation.ts';
import { createDiskBlobStore } from '../../shared/blobs/disk-blob-store.ts';
import { jobMessage } from '../../shared/contracts/job-message.ts';
import { type FileRegistry } from '../../shared/files/file-registry.ts';
import { type StoredFile } from '../../shared/files/stored-file.ts';
import { createJobLog, type JobLog } from '../../shared/joblog/job-log.ts';
import { createLiveLog, type LiveLog } from '../../shared/joblog/live-log.ts';
import { type OutboundMessage, type Producer } from '../../shared/kafka/port.ts';
import { silentLogger } from '../../shared/log/logger.ts';
import { connectRedisPatiently, type Redis } from '../../shared/redis/connect.ts';
import { jobKeys } from '../../shared/redis/keys.ts';
import { testEnv } from '../harness/env.ts';

jest.setTimeout(30_000);

/** The ingress's HTTP on the real Redis, with a producer that the test plays. */
const prefix = `t-admission-${randomBytes(4).toString('hex')}`;
const keys = jobKeys(prefix);
const ANSWER = 'The line is clear.';

let redis: Redis;
let jobLog: JobLog;
let live: LiveLog;
let app: FastifyInstance;
let folder: string;
/** The files that the caller has. */
let files: Pick<FileRegistry, 'find'> = { find: () => Promise.resolve(undefined) };
/** What becomes of a message that the ingress sends. */
let send: Producer['send'];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'turnout-admission-'));
  const { REDIS_URL, TURNOUT_SECRET } = testEnv();
  redis = connectRedisPatiently(REDIS_URL, 'admission-test', silentLogger);
  jobLog = createJobLog({ redis, keys, retentionMs: 60_000 });
  live = await createLiveLog({
    log: jobLog,
    subscriber: connectRedisPatiently(REDIS_URL, 'admission-test-live', silentLogger),
    channel: keys.channel('test'),
    logger: silentLogger,
    onAbandoned: () => undefined,
  });
  const producer: Producer = {
    send: (message) => send(message),
    connected: () => true,
    close: () => Promise.resolve(),
  };
  const desk = createAdmissionDesk({
    jobLog,
    blobs: createDiskBlobStore(folder),
    files: { find: (user, id) => files.find(user, id) },
    producer,
    topic: 'jobs',
    secret: TURNOUT_SECRET,
    reader: live.channel,
    log: silentLogger,
  });
  app = fastify();
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(() => JSON.stringify);
  installErrorHandling(app, silentLogger);
  const models = { assertServed: () => Promise.resolve() };
  const caller = () => ({ keyId: 'key_1', user: 'user-1' });
  const cut = new AbortController().signal;
  chatRoute(app, { desk, live, models, defaultDeadlineMs: 10_000, caller, cut });
  await app.ready();
});

afterAll(async () => {
  await app.close();
  await live.close();
  const left = await redis.keys(`${prefix}:*`);
  if (left.length > 0) await redis.del(left);
  await redis.quit();
  await rm(folder, { recursive: true, force: true });
});

/** A router and a worker in one: takes the job over and answers it. Says what the record said to the router. */
async function routeAndAnswer({ value }: OutboundMessage): Promise<string> {
  const { jobId, model, userHash } = jobMessage.parse(JSON.parse(value));
  const at = Date.now();
  const decision = { path: 'litellm', reason: 'default', epoch: 0 } as const;
  const state = await jobLog.route(jobId, [
    { type: 'accepted', at, model },
    { type: 'routed', at, ...decision, promptTokens: 1 },
  ]);
  if (state !== 'routed') return state;
  const events = [
    { type: 'text', choice: 0, delta: ANSWER },
    { type: 'choice_end', choice: 0, reason: 'stop' },
    { type: 'completed', at },
  ] as const;
  const outcome = { version: 1, id: `${jobId}.end`, jobId, userHash, model, status: 'completed' } as const;
  const finisher = { fence: undefined, expected: 2 };
  await jobLog.finish(jobId, finisher, events, { ...outcome, attempts: 1, at, ms: { total: 0 }, usage: [] });
  return state;
}

const QUESTION = [{ role: 'user', content: 'Is the line clear?' }];

function ask(idempotencyKey: string, messages: unknown = QUESTION) {
  return app.inject({
    method: 'POST',
    url: '/v1/chat/completions',
    headers: { 'idempotency-key': idempotencyKey },
    payload: { model: 'm', messages },
  });
}

test('a repetition finds its job although the file that it names was deleted since; a new job does not', async () => {
  const id = `file-${'0'.repeat(32)}`;
  const content = { kind: 'blob', name: `files/${id}/content`, sha256: 'a'.repeat(64), bytes: 9 } as const;
  const file: StoredFile = {
    id,
    filename: 'a.pdf',
    purpose: 'user_data',
    format: 'pdf',
    mediaType: 'application/pdf',
    createdAt: 1,
    expiresAt: undefined,
    status: 'uploaded',
    details: undefined,
    content,
    text: undefined,
  };
  const about = [{ role: 'user', content: [{ type: 'file', file: { file_id: id } }] }];
  const sent: OutboundMessage[] = [];
  send = async (message) => {
    sent.push(message);
    await routeAndAnswer(message);
  };
  files = { find: () => Promise.resolve(file) };
  expect((await ask('with a file', about)).statusCode).toBe(200);
  const { documents } = jobMessage.parse(JSON.parse(sent[0]?.value ?? ''));
  expect(documents).toMatchObject([
    { name: 'a.pdf', content: { kind: 'raw', format: 'pdf', blob: content } },
  ]);

  files = { find: () => Promise.resolve(undefined) };
  expect((await ask('with a file', about)).json()).toMatchObject({
    choices: [{ message: { content: ANSWER } }],
  });
  const refused = await ask('another', about);
  expect(refused.statusCode).toBe(404);
  expect(refused.json()).toMatchObject({
    error: { code: 'file_not_found', param: 'messages[0].content[0].file.file_id' },
  });
  expect(sent).toHaveLength(1);
});

const noAcknowledgement = () => Promise.reject(new Error('Kafka did not acknowledge in time'));

test('the message carries what a repetition is compared with: a lost record can be made again from it', async () => {
  const sent: OutboundMessage[] = [];
  send = async (message) => {
    sent.push(message);
    await routeAndAnswer(message);
  };
  expect((await ask('hash')).statusCode).toBe(200);
  const { jobId, bodyHash } = jobMessage.parse(JSON.parse(sent[0]?.value ?? ''));
  expect(bodyHash).toMatch(/^[0-9a-f]{64}$/);
  expect(await redis.hget(keys.record(jobId), 'hash')).toBe(bodyHash);
});

describe('when Kafka acknowledges nothing', () => {
  test('the answer is 503, says when to come back, and a later retry works', async () => {
    send = noAcknowledgement;
    const refused = await ask('retry');
    expect(refused.statusCode).toBe(503);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    expect(refused.json()).toMatchObject({
      error: { type: 'server_error', code: 'queue_unavailable', param: null },
    });
    send = async (message) => {
      await routeAndAnswer(message);
    };
    const answered = await ask('retry');
    expect(answered.statusCode).toBe(200);
    expect(answered.json()).toMatchObject({ choices: [{ message: { content: ANSWER } }] });
  });

  test('nothing of it is left open, and nobody runs it when its message shows up late', async () => {
    const sent: OutboundMessage[] = [];
    send = (message) => (sent.push(message), noAcknowledgement());
    expect((await ask('late')).statusCode).toBe(503);
    const [late] = sent;
    if (!late) throw new Error('nothing was sent');
    expect(await routeAndAnswer(late)).toBe('refused');
    const { jobId } = jobMessage.parse(JSON.parse(late.value));
    expect(await redis.zscore(keys.open(jobId), jobId)).toBeNull();
  });

  test('the job is accepted all the same when the router has it already: only the acknowledgement was lost', async () => {
    send = async (message) => {
      await routeAndAnswer(message);
      return noAcknowledgement();
    };
    const answered = await ask('lost acknowledgement');
    expect(answered.statusCode).toBe(200);
    expect(answered.json()).toMatchObject({ choices: [{ message: { content: ANSWER } }] });
  });

  test('a retry that finds its job still unsettled publishes it again', async () => {
    const first = Promise.withResolvers<undefined>();
    const sent: OutboundMessage[] = [];
    send = async (message) => {
      sent.push(message);
      if (sent.length === 1) return first.promise; // no answer from the broker yet
      await routeAndAnswer(message);
    };
    const waiting = ask('unsettled');
    waiting.catch(() => undefined);
    while (sent.length === 0) await new Promise((resolve) => setImmediate(resolve));
    const retried = await ask('unsettled');
    expect(retried.statusCode).toBe(200);
    first.reject(new Error('Kafka did not acknowledge in time'));
    // The first caller gets the answer, too: its job ran.
    expect((await waiting).json()).toMatchObject({ choices: [{ message: { content: ANSWER } }] });
    expect(new Set(sent.map(({ value }) => jobMessage.parse(JSON.parse(value)).jobId)).size).toBe(1);
  });
});
