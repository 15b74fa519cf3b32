import { get, type IncomingMessage } from 'node:http';
import { type Socket } from 'node:net';
import { text as readAll } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { createParser } from 'eventsource-parser';
import { type JobEvent } from '../../shared/contracts/job-event.ts';
import { jobMessage } from '../../shared/contracts/job-message.ts';
import { type OutboundMessage } from '../../shared/platform/kafka/port.ts';
import { type IngressOnRedis, startIngressOnRedis } from './ingress-on-redis.ts';

jest.setTimeout(60_000);

/** More than the kernel buffers for two sockets, in more events than one read of the stream returns. */
const PIECES = Array.from({ length: 700 }, (_, i) => `${i} `.padEnd(12_000, '-'));

let ingress: IngressOnRedis;
let url: string;
const connections: Socket[] = [];
/** Bytes buffered in this process for slow clients. */
const waiting = () => connections.reduce((sum, { writableLength }) => sum + writableLength, 0);
const MIB = 1024 * 1024;

beforeAll(async () => {
  ingress = await startIngressOnRedis('slow');
  ingress.app.server.on('connection', (connection) => connections.push(connection));
  url = await ingress.app.listen({ port: 0, host: '127.0.0.1' });
});

afterAll(() => ingress.close());

/** A response in progress. */
async function createRunning() {
  let sent: OutboundMessage | undefined;
  ingress.onSend((message) => Promise.resolve(void (sent = message)));
  const created = await ingress.app.inject({
    method: 'POST',
    url: '/v1/responses',
    payload: { model: 'm', input: 'Is the line clear?', background: true },
  });
  const { jobId } = jobMessage.parse(JSON.parse(sent?.value ?? ''));
  const at = Date.now();
  const decision = { path: 'litellm', reason: 'percentage', epoch: 0, step: 0 } as const;
  await ingress.jobLog.route(jobId, [
    { type: 'accepted', at, model: 'm' },
    { type: 'routed', at, ...decision, promptTokens: 1 },
  ]);
  const begun = await ingress.jobLog.begin(jobId, {
    nonce: 'nonce',
    path: 'litellm',
    holder: 'nobody',
    deadlineAt: at + 60_000,
  });
  if (begun.kind !== 'begun') throw new Error('The attempt did not begin');
  return { id: created.json<{ id: string }>().id, jobId, ...begun };
}

async function write({ jobId, fence, lastSequence }: Awaited<ReturnType<typeof createRunning>>) {
  let last = lastSequence;
  for (const delta of PIECES) {
    const appended = await ingress.jobLog.append(jobId, fence, last, [{ type: 'text', choice: 0, delta }]);
    if (appended.kind !== 'appended') throw new Error(appended.kind);
    last = appended.lastSequence;
  }
  const at = Date.now();
  const events: JobEvent[] = [
    { type: 'choice_end', choice: 0, reason: 'stop' },
    { type: 'completed', at },
  ];
  const outcome = {
    version: 1,
    id: `${jobId}.end`,
    jobId,
    userHash: 'h',
    model: 'm',
    status: 'completed',
  } as const;
  const figures = { attempts: 1, at, ms: { total: 0 }, usage: [] };
  await ingress.jobLog.finish(jobId, { fence, expected: last }, events, { ...outcome, ...figures });
}

/** Opens the stream without reading from it. */
async function openStream(id: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    get(`${url}/v1/responses/${id}?stream=true`, { agent: false }, resolve).once('error', reject);
  });
}

async function readStream(response: IncomingMessage) {
  const seen = { text: '', numbers: [] as number[] };
  const parser = createParser({
    onEvent: ({ data }) => {
      const event = JSON.parse(data) as { type: string; sequence_number: number; delta?: string };
      seen.numbers.push(event.sequence_number);
      if (event.type === 'response.output_text.delta') seen.text += event.delta ?? '';
    },
  });
  parser.feed(await readAll(response));
  return seen;
}

test('a reader that stalls for the whole answer delays no one, is not buffered without limit, and then receives everything', async () => {
  const job = await createRunning();
  const [slow, swift] = await Promise.all([openStream(job.id), openStream(job.id)]);
  const swiftly = readStream(swift);
  await write(job);
  const first = await swiftly;
  expect(waiting()).toBeGreaterThan(0); // the slow reader really stalls
  expect(waiting()).toBeLessThan(MIB);
  const second = await readStream(slow);
  const whole = PIECES.join('');
  for (const { text, numbers } of [first, second]) {
    expect(text === whole).toBe(true); // toBe(whole) would print a difference of 8 MB
    expect(numbers).toEqual(numbers.map((_, i) => i));
  }
  expect(second.numbers).toHaveLength(first.numbers.length);
});
