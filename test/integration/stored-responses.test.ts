import { afterAll, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { type JobEvent } from '../../shared/contracts/job-event.ts';
import { jobMessage } from '../../shared/contracts/job-message.ts';
import { type OutboundMessage } from '../../shared/platform/kafka/port.ts';
import { ANSWER, type IngressOnRedis, startIngressOnRedis } from './ingress-on-redis.ts';

jest.setTimeout(30_000);

let ingress: IngressOnRedis;
/** The messages that no router has taken yet. */
let sent: OutboundMessage[];

beforeAll(async () => {
  ingress = await startIngressOnRedis('responses');
});

afterAll(() => ingress.close());

beforeEach(() => {
  sent = [];
  ingress.onSend(async (message) => {
    await ingress.routeAndAnswer(message);
  });
});

type Headers = Record<string, string>;
const ask = { model: 'm', input: 'Is the line clear?' };

function post(payload: object, headers: Headers = {}) {
  return ingress.app.inject({ method: 'POST', url: '/v1/responses', headers, payload });
}

function get(id: string, query = '', headers: Headers = {}) {
  return ingress.app.inject({ method: 'GET', url: `/v1/responses/${id}${query}`, headers });
}

function remove(id: string) {
  return ingress.app.inject({ method: 'DELETE', url: `/v1/responses/${id}` });
}

async function create(
  more: object = {},
  headers: Headers = {},
): Promise<{ id: string; jobId: string; body: object }> {
  const response = await post({ ...ask, ...more }, headers);
  expect(response.statusCode).toBe(200);
  const body = response.json<{ id: string }>();
  return { id: body.id, jobId: body.id.replace('resp_', 'job_'), body };
}

/** Publishes its outcome, as far as the record shows. */
async function publish(jobId: string): Promise<void> {
  const rows = await ingress.redis.xrange(ingress.keys.outbox(jobId), '-', '+');
  for (const [row] of rows) await ingress.jobLog.published(jobId, row);
}

/** Removes its record and log, as an hour after the job's end. */
async function expire(jobId: string): Promise<void> {
  await ingress.redis.del(ingress.keys.record(jobId), ingress.keys.log(jobId));
}

/** A response whose message waits on the topic. */
async function createWaiting(more: object = {}) {
  ingress.onSend((message) => Promise.resolve(void sent.push(message)));
  const created = await create({ background: true, ...more });
  const [message] = sent;
  if (!message) throw new Error('Expected a message to be sent');
  return { ...created, message };
}

describe('a stored response outlives its log', () => {
  test('as an object and as a stream, unchanged', async () => {
    const { id, jobId, body } = await create({ metadata: { a: 'b' }, instructions: 'Be brief' });
    const [object, stream] = [await get(id), await get(id, '?stream=true&starting_after=2')];
    expect(object.json()).toEqual(body);
    await ingress.kept.keep(jobId);
    await expire(jobId);
    expect((await get(id)).json()).toEqual(body);
    expect((await get(id, '?stream=true&starting_after=2')).body).toBe(stream.body);
    expect(stream.body).toMatch(/^event: \S+\ndata: .*"sequence_number":3}/);
    expect((await get(id, '/input_items')).json()).toMatchObject({
      data: [{ type: 'message', role: 'user', content: [{ type: 'input_text', text: ask.input }] }],
      has_more: false,
    });
  });

  test('with an input that is too large for the record', async () => {
    const input = 'x'.repeat(100_000);
    const { id, jobId } = await create({ input });
    expect((await ingress.redis.hstrlen(ingress.keys.record(jobId), 'original')) < 100).toBe(true);
    for (const gone of [false, true]) {
      if (gone) {
        await ingress.kept.keep(jobId);
        await expire(jobId);
        await ingress.blobs.removeFolder(`jobs/${jobId}`);
      }
      expect((await get(id, '/input_items')).json()).toMatchObject({
        data: [{ content: [{ text: input }] }],
      });
    }
  });

  test('but not with store: false', async () => {
    const { id, jobId } = await create({ store: false });
    expect(await ingress.redis.hget(ingress.keys.record(jobId), 'duties')).toBe('');
    expect((await get(id)).statusCode).toBe(200);
    await publish(jobId);
    expect(await ingress.redis.pttl(ingress.keys.log(jobId))).toBeLessThanOrEqual(60_000);
    await expire(jobId);
    expect((await get(id)).statusCode).toBe(404);
  });

  test('a log with pending hooks does not expire before all of them are done', async () => {
    const { jobId } = await create();
    expect(await ingress.redis.pttl(ingress.keys.log(jobId))).toBeGreaterThan(60_000);
    await ingress.kept.keep(jobId);
    await publish(jobId);
    expect(await ingress.redis.pttl(ingress.keys.log(jobId))).toBeGreaterThan(60_000);
    await ingress.jobLog.settle(jobId);
    expect(await ingress.redis.pttl(ingress.keys.log(jobId))).toBeLessThanOrEqual(60_000);
  });
});

describe('a deleted response', () => {
  test('is gone at once, from the log and from the store', async () => {
    const { id, jobId } = await create();
    await ingress.kept.keep(jobId);
    expect((await remove(id)).json()).toEqual({ id, object: 'response', deleted: true });
    expect((await get(id)).statusCode).toBe(404);
    expect((await remove(id)).statusCode).toBe(404);
    await expire(jobId);
    expect((await get(id)).statusCode).toBe(404);
  });

  test('does not come back if it is being copied to the store at that moment', async () => {
    const { id, jobId } = await create();
    // The copy may fail because its folder is removed; the hook would be retried.
    await Promise.allSettled([ingress.kept.keep(jobId), remove(id)]);
    await ingress.kept.keep(jobId);
    await expire(jobId);
    expect((await get(id)).statusCode).toBe(404);
    expect(await ingress.kept.find(jobId)).toBeUndefined();
  });

  test('that was still open is cancelled first, and its message is not run', async () => {
    const { id, message } = await createWaiting();
    expect((await remove(id)).statusCode).toBe(200);
    expect(await ingress.routeAndAnswer(message)).toBe('cancelled');
    expect((await get(id)).statusCode).toBe(404);
  });
});

describe("another user's response", () => {
  const other = { 'x-user': 'user-2' };

  test.each([
    ['GET', ''],
    ['GET', '?stream=true'],
    ['GET', '/input_items'],
    ['POST', '/cancel'],
    ['DELETE', ''],
  ] as const)('%s %s is a 404, as for an unknown response', async (method, path) => {
    const { id } = await create();
    const unknown = `resp_${'0'.repeat(32)}`;
    const [theirs, nobodys] = await Promise.all(
      [id, unknown].map((one) =>
        ingress.app.inject({ method, url: `/v1/responses/${one}${path}`, headers: other }),
      ),
    );
    expect(theirs?.statusCode).toBe(404);
    expect(theirs?.body).toBe(nobodys?.body.replace(unknown, id));
    expect((await get(id)).statusCode).toBe(200);
  });

  test('cannot be continued, and its items cannot be referenced', async () => {
    const { id } = await create();
    const onwards = await post({ ...ask, previous_response_id: id }, other);
    expect(onwards.json()).toMatchObject({
      error: { code: 'previous_response_not_found', param: 'previous_response_id' },
    });
    const item = { type: 'item_reference', id: `msg_${id.slice(5)}_0` };
    const reference = await post({ ...ask, input: [item] }, other);
    expect(reference.json()).toMatchObject({ error: { code: 'invalid_value', param: 'input[0].id' } });
  });

  test('is not found under the id of a chat completion', async () => {
    const chat = await ingress.app.inject({
      method: 'POST',
      url: '/v1/chat/completions',
      payload: { model: 'm', messages: [{ role: 'user', content: 'Hello' }] },
    });
    const id = chat.json<{ id: string }>().id.replace('chatcmpl-job_', 'resp_');
    expect((await get(id)).statusCode).toBe(404);
  });
});

describe('a conversation stored on the server', () => {
  const asked = () => jobMessage.parse(JSON.parse(sent[0]?.value ?? '')).request;
  beforeEach(() => {
    ingress.onSend(async (message) => {
      sent.push(message);
      await ingress.routeAndAnswer(message);
    });
  });

  test('continues with all messages, but not with earlier instructions', async () => {
    const first = await create({ instructions: 'Be brief' });
    const second = await create({ previous_response_id: first.id, input: 'Sure?' });
    sent = [];
    const third = await create({
      previous_response_id: second.id,
      input: [{ role: 'user', content: 'Really?' }],
    });
    expect(asked()).toMatchObject({
      request: {
        messages: [
          { role: 'user', content: ask.input },
          { role: 'assistant', content: ANSWER },
          { role: 'user', content: 'Sure?' },
          { role: 'assistant', content: ANSWER },
          { role: 'user', content: 'Really?' },
        ],
      },
    });
    const page = (await get(third.id, '/input_items?order=asc&limit=2')).json<{
      data: object[];
      last_id: string;
    }>();
    expect(page).toMatchObject({ data: [{ role: 'user' }, { role: 'assistant' }], has_more: true });
    const rest = await get(third.id, `/input_items?order=asc&after=${page.last_id}`);
    expect(rest.json()).toMatchObject({ data: [{}, {}, {}], has_more: false });
  });

  test('survives the deletion of the response that it continues', async () => {
    const first = await create();
    const second = await create({ previous_response_id: first.id });
    await remove(first.id);
    sent = [];
    await create({ previous_response_id: second.id });
    expect(asked()).toMatchObject({ request: { messages: { length: 5 } } });
  });

  test('replaces an item reference with the item', async () => {
    const first = await create();
    sent = [];
    await create({
      input: [
        { type: 'item_reference', id: `msg_${first.id.slice(5)}_0` },
        { role: 'user', content: 'x' },
      ],
    });
    expect(asked()).toMatchObject({
      request: {
        messages: [
          { role: 'assistant', content: ANSWER },
          { role: 'user', content: 'x' },
        ],
      },
    });
  });

  test.each([
    ['that is in progress', () => createWaiting()],
    ['with store: false', () => create({ store: false })],
  ])('does not continue a response %s', async (_name, make) => {
    const { id } = await make();
    const response = await post({ ...ask, previous_response_id: id });
    expect(response.statusCode).toBe(400);
    expect(response.json()).toMatchObject({ error: { param: 'previous_response_id' } });
  });
});

describe('a background response', () => {
  test('is queued before its job has been routed', async () => {
    const { id, body, message } = await createWaiting();
    expect(body).toMatchObject({ status: 'queued', background: true, output: [] });
    expect((await get(id)).json()).toEqual(body);
    await ingress.routeAndAnswer(message);
    expect((await get(id)).json()).toMatchObject({ status: 'completed', output: [{ type: 'message' }] });
  });

  test('has a deadline of a day, and no reader that could abandon it', async () => {
    const { jobId } = await createWaiting();
    const [deadline, created, foreground, readers] = await ingress.redis.hmget(
      ...([ingress.keys.record(jobId), 'deadline', 'created', 'foreground', 'readers'] as const),
    );
    expect(Number(deadline) - Number(created)).toBe(86_400_000);
    expect([foreground, readers]).toEqual(['0', '']);
  });

  test('can be recreated from its message if its record is lost', async () => {
    const { jobId, message } = await createWaiting();
    const record = await ingress.redis.hmget(ingress.keys.record(jobId), 'duties', 'original');
    const { duties, original } = jobMessage.parse(JSON.parse(message.value));
    expect([duties?.join(' '), original]).toEqual(record);
  });

  test('with the same idempotency key is the same one, whatever its state', async () => {
    const headers = { 'idempotency-key': 'once' };
    const first = await create({ background: true }, headers);
    const second = await create({ background: true }, headers);
    expect(second.id).toBe(first.id);
    expect(second.body).toMatchObject({ status: 'completed' });
    const conflict = await post({ ...ask, background: true, input: 'Other' }, headers);
    expect(conflict.json()).toMatchObject({ error: { code: 'idempotency_conflict' } });
  });

  test.each([
    ['whole', {}],
    ['in the background', { background: true }],
    ['a stored chat completion', undefined],
  ])(
    'with the same idempotency key is not created again if only its stored copy is left: %s',
    async (name, more) => {
      const headers = { 'idempotency-key': `kept ${name}` };
      const chat = { model: 'm', messages: [{ role: 'user', content: 'Hello' }], store: true };
      const [url, payload] = more ? ['/v1/responses', { ...ask, ...more }] : ['/v1/chat/completions', chat];
      const post = (body: object) => ingress.app.inject({ method: 'POST', url, headers, payload: body });
      const first = (await post(payload)).json<{ id: string; created_at?: number }>();
      const jobId = first.id.replace('resp_', 'job_').replace('chatcmpl-', '');
      await ingress.kept.keep(jobId);
      await expire(jobId);
      ingress.onSend(() => Promise.reject(new Error('Expected no message to be sent')));
      const again = (await post(payload)).json<{ id: string; usage?: unknown }>();
      const { output, choices } = again as { output?: object[]; choices?: object[] };
      expect(JSON.stringify(output ?? choices)).toContain(ANSWER);
      expect(again).toMatchObject({ id: first.id });
      const streamed = await post({ ...payload, stream: true });
      expect(streamed.json()).toMatchObject({ error: { code: 'idempotency_conflict' } });
      expect(await ingress.redis.exists(ingress.keys.record(jobId))).toBe(0);
    },
  );

  test('can be cancelled, also repeatedly, and stays cancelled', async () => {
    const { id } = await createWaiting();
    for (let times = 0; times < 2; times += 1) {
      const response = await ingress.app.inject({
        method: 'POST',
        url: `/v1/responses/${id}/cancel`,
        headers: { 'content-type': 'application/json' }, // as the Python SDK sends it
      });
      expect(response.json()).toMatchObject({ id, status: 'cancelled' });
    }
    expect((await get(id, '?stream=true')).body).toContain('event: response.incomplete');
  });
});

describe('a reader', () => {
  test('that is ahead of the log gets an error event', async () => {
    const { id } = await create();
    const response = await get(id, '?stream=true&starting_after=500');
    expect(response.body).toMatch(/^event: error\ndata: {"type":"error","code":"log_rewound"/);
  });

  test.each([
    ['?starting_after=1', 'starting_after'],
    ['?stream=true&starting_after=-1', 'starting_after'],
    ['?stream=maybe', 'stream'],
    ['/input_items?limit=0', 'limit'],
    ['/input_items?limit=101', 'limit'],
    ['/input_items?order=up', 'order'],
    ['/input_items?after=nothing', 'after'],
  ])('%s is a 400', async (query, param) => {
    const { id } = await create();
    const response = await get(id, query);
    expect(response.statusCode).toBe(400);
    expect(response.json()).toMatchObject({ error: { param } });
  });
});

test('an answer that reached its token limit is incomplete, with the reason', async () => {
  const cut: JobEvent[] = [
    { type: 'text', choice: 0, delta: 'Half' },
    { type: 'choice_end', choice: 0, reason: 'length' },
  ];
  ingress.onSend(async (message) => {
    await ingress.routeAndAnswer(message, cut);
  });
  const { body } = await create();
  expect(body).toMatchObject({
    status: 'incomplete',
    incomplete_details: { reason: 'max_output_tokens' },
    output: [{ status: 'incomplete', content: [{ text: 'Half' }] }],
  });
});
