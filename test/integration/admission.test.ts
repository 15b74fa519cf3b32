import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { jobMessage } from '../../shared/contracts/job-message.ts';
import { type StoredFile } from '../../shared/content/files/stored-file.ts';
import { type OutboundMessage } from '../../shared/platform/kafka/port.ts';
import { SendError } from '../../shared/platform/kafka/send-error.ts';
import { ANSWER, type IngressOnRedis, startIngressOnRedis } from './ingress-on-redis.ts';

jest.setTimeout(30_000);

let ingress: IngressOnRedis;

beforeAll(async () => {
  ingress = await startIngressOnRedis('admission');
});

afterAll(() => ingress.close());

const QUESTION = [{ role: 'user', content: 'Is the line clear?' }];

function ask(idempotencyKey: string, messages: unknown = QUESTION) {
  return ingress.app.inject({
    method: 'POST',
    url: '/v1/chat/completions',
    headers: { 'idempotency-key': idempotencyKey },
    payload: { model: 'm', messages },
  });
}

test('a repeated request finds its job although its file has been deleted since; a new job is refused', async () => {
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
  ingress.onSend(async (message) => {
    sent.push(message);
    await ingress.routeAndAnswer(message);
  });
  ingress.onFindFile(() => Promise.resolve(file));
  expect((await ask('with a file', about)).statusCode).toBe(200);
  const { documents } = jobMessage.parse(JSON.parse(sent[0]?.value ?? ''));
  expect(documents).toMatchObject([
    { name: 'a.pdf', content: { kind: 'raw', format: 'pdf', blob: content } },
  ]);

  ingress.onFindFile(() => Promise.resolve(undefined));
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

test('the message has the body hash, so that a lost record can be recreated for later comparisons', async () => {
  const sent: OutboundMessage[] = [];
  ingress.onSend(async (message) => {
    sent.push(message);
    await ingress.routeAndAnswer(message);
  });
  expect((await ask('hash')).statusCode).toBe(200);
  const { jobId, bodyHash } = jobMessage.parse(JSON.parse(sent[0]?.value ?? ''));
  expect(bodyHash).toMatch(/^[0-9a-f]{64}$/);
  expect(await ingress.redis.hget(ingress.keys.record(jobId), 'hash')).toBe(bodyHash);
});

describe('if Kafka acknowledges nothing', () => {
  test('the answer is a 503 with a Retry-After, and a later retry succeeds', async () => {
    ingress.onSend(noAcknowledgement);
    const refused = await ask('retry');
    expect(refused.statusCode).toBe(503);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    expect(refused.json()).toMatchObject({
      error: { type: 'server_error', code: 'queue_unavailable', param: null },
    });
    ingress.onSend(async (message) => {
      await ingress.routeAndAnswer(message);
    });
    const answered = await ask('retry');
    expect(answered.statusCode).toBe(200);
    expect(answered.json()).toMatchObject({ choices: [{ message: { content: ANSWER } }] });
  });

  test('the refused job is not left open, and its message is not run if it arrives late', async () => {
    const sent: OutboundMessage[] = [];
    ingress.onSend((message) => (sent.push(message), noAcknowledgement()));
    expect((await ask('late')).statusCode).toBe(503);
    const [late] = sent;
    if (!late) throw new Error('Expected a message to be sent');
    expect(await ingress.routeAndAnswer(late)).toBe('refused');
    const { jobId } = jobMessage.parse(JSON.parse(late.value));
    expect(await ingress.redis.zscore(ingress.keys.open(jobId), jobId)).toBeNull();
  });

  test('the job is still accepted if the router has it already and only the acknowledgement was lost', async () => {
    ingress.onSend(async (message) => {
      await ingress.routeAndAnswer(message);
      return noAcknowledgement();
    });
    const answered = await ask('lost acknowledgement');
    expect(answered.statusCode).toBe(200);
    expect(answered.json()).toMatchObject({ choices: [{ message: { content: ANSWER } }] });
  });

  test('a retry whose job is still unsettled publishes it again', async () => {
    const first = Promise.withResolvers<undefined>();
    const sent: OutboundMessage[] = [];
    ingress.onSend(async (message) => {
      sent.push(message);
      if (sent.length === 1) return first.promise; // the broker has not answered yet
      await ingress.routeAndAnswer(message);
    });
    const waiting = ask('unsettled');
    waiting.catch(() => undefined);
    while (sent.length === 0) await new Promise((resolve) => setImmediate(resolve));
    const retried = await ask('unsettled');
    expect(retried.statusCode).toBe(200);
    first.reject(new Error('Kafka did not acknowledge in time'));
    // The first caller gets the answer as well, because its job ran.
    expect((await waiting).json()).toMatchObject({ choices: [{ message: { content: ANSWER } }] });
    expect(new Set(sent.map(({ value }) => jobMessage.parse(JSON.parse(value)).jobId)).size).toBe(1);
  });

  test('a second request with the same key never refuses a job that the first one has published', async () => {
    const sent: OutboundMessage[] = [];
    const [second, acknowledged] = [Promise.withResolvers<undefined>(), Promise.withResolvers<undefined>()];
    const refusing = jest.spyOn(ingress.jobLog, 'refuse');
    ingress.onSend((message) => {
      sent.push(message);
      return sent.length === 1 ? acknowledged.promise : second.promise;
    });
    const first = ask('accepted');
    first.catch(() => undefined);
    while (sent.length < 1) await new Promise((resolve) => setImmediate(resolve));
    const repeated = ask('accepted');
    repeated.catch(() => undefined);
    while (sent.length < 2) await new Promise((resolve) => setImmediate(resolve));
    acknowledged.resolve(undefined);
    second.reject(new Error('Kafka did not acknowledge in time'));
    while (refusing.mock.results.length === 0) await new Promise((resolve) => setImmediate(resolve));
    await refusing.mock.results[0]?.value;
    refusing.mockRestore();
    const [message] = sent;
    if (!message) throw new Error('Expected a message to be sent');
    expect(await ingress.routeAndAnswer(message)).toBe('routed');
    for (const answered of await Promise.all([first, repeated])) expect(answered.statusCode).toBe(200);
  });

  test('a job that several requests publish is refused when the last of them fails, and all of them get a 503', async () => {
    const sent: PromiseWithResolvers<undefined>[] = [];
    ingress.onSend(() => {
      const sending = Promise.withResolvers<undefined>();
      sent.push(sending);
      return sending.promise;
    });
    const asked = [ask('all fail'), ask('all fail')];
    for (const one of asked) one.catch(() => undefined);
    while (sent.length < 2) await new Promise((resolve) => setImmediate(resolve));
    for (const { reject } of sent) reject(new Error('Kafka did not acknowledge in time'));
    for (const answered of await Promise.all(asked)) expect(answered.statusCode).toBe(503);
  });

  test('a message that exceeds Kafka’s limit causes a 413', async () => {
    ingress.onSend(() => Promise.reject(new SendError('too_large', 'The topic takes less')));
    const refused = await ask('too large');
    expect(refused.statusCode).toBe(413);
    expect(refused.json()).toMatchObject({ error: { code: 'body_too_large' } });
  });
});

test('a request with the same key and another body does not release the running job’s slot', async () => {
  ingress.left.length = 0;
  const sent: OutboundMessage[] = [];
  ingress.onSend(async (message) => {
    sent.push(message);
    const other = [{ role: 'user', content: 'Another question' }];
    const raced = jest.spyOn(ingress.jobLog, 'standings').mockResolvedValueOnce([]);
    expect((await ask('raced', other)).statusCode).toBe(409);
    raced.mockRestore();
    expect(ingress.left).toEqual([]);
    await ingress.routeAndAnswer(message);
  });
  expect((await ask('raced')).statusCode).toBe(200);
  expect(sent).toHaveLength(1);
});
