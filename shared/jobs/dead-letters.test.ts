import { describe, expect, test } from '@jest/globals';
import { createDeadLetters, letterOfJob, letterOfMessage, readLetter, topicOf } from './dead-letters.ts';
import { type InboundMessage, type OutboundMessage } from '../platform/kafka/port.ts';
import { recordBytes } from '../platform/kafka/record-size.ts';
import { SendError } from '../platform/kafka/send-error.ts';

const message: InboundMessage = {
  topic: 't.jobs',
  partition: 2,
  offset: 9n,
  timestamp: 5,
  key: 'user-1',
  value: '{',
  headers: { ce_id: 'job_1', ce_type: 'x', 'content-type': 'text/plain', traceparent: '00-t', own: 'ä' },
};

async function publish(letter: Parameters<ReturnType<typeof createDeadLetters>['publish']>[0]) {
  const sent: OutboundMessage[] = [];
  const producer = {
    send: (one: OutboundMessage) => Promise.resolve(void sent.push(one)),
    connected: () => true,
    close: () => Promise.resolve(),
  };
  await createDeadLetters(producer, 't.jobs.dlq', 'router').publish(letter);
  const [out] = sent;
  if (!out) throw new Error('nothing was sent');
  return { ...out, partition: 0, offset: 0n, timestamp: 77 } satisfies InboundMessage;
}

describe('a dead letter', () => {
  test("keeps its message's key, value and all headers, also those whose names the letter uses itself", async () => {
    const letter = letterOfMessage(message, 'broken');
    const stored = readLetter(await publish(letter));
    expect(stored).toMatchObject({ ...letter, at: 77 });
    expect(stored.headers).toEqual(message.headers);
    expect(stored.own).toMatchObject({ ce_id: 't.jobs/2/9', ce_source: 'router', traceparent: '00-t' });
  });

  test('of an empty message has its origin as its key', async () => {
    const stored = readLetter(
      await publish(letterOfMessage({ ...message, key: undefined, value: undefined, headers: {} }, 'r')),
    );
    expect(stored).toMatchObject({ key: 't.jobs/2/9', value: '', originalId: '', headers: {} });
  });

  test('of a job that its queue gave up has the job as its value', async () => {
    const job = { queue: 'llm', jobId: 'job_1', user: 'u', data: { jobId: 'job_1' }, reason: 'r' };
    const stored = readLetter(await publish(letterOfJob(job)));
    expect(stored).toMatchObject({ origin: 'bullmq/llm/job_1', key: 'u', value: '{"jobId":"job_1"}' });
  });

  test('that is too large for its topic is published shortened, so that it blocks no partition', async () => {
    const sent: OutboundMessage[] = [];
    const producer = {
      send: (one: OutboundMessage) =>
        recordBytes(one) > 1_000_000
          ? Promise.reject(new SendError('too_large', 'The topic takes less'))
          : Promise.resolve(void sent.push(one)),
      connected: () => true,
      close: () => Promise.resolve(),
    };
    const large = { ...message, value: 'v'.repeat(900_000), headers: { own: '\u0001'.repeat(100_000) } };
    await createDeadLetters(producer, 't.jobs.dlq', 'router').publish(letterOfMessage(large, 'broken'));
    const [short] = sent;
    if (!short) throw new Error('nothing was sent');
    const stored = readLetter({ ...short, partition: 0, offset: 0n, timestamp: 77 });
    expect(stored).toMatchObject({ origin: 't.jobs/2/9', key: 'user-1', headers: {} });
    expect(stored.reason).toMatch(/^Shortened, .*broken$/);
    expect(sent).toHaveLength(1);
  });

  test('has a reason of a bounded length', async () => {
    const stored = readLetter(await publish(letterOfMessage(message, 'x'.repeat(100_000))));
    expect(stored.reason.length).toBeLessThan(1_100);
  });

  test.each([
    ['nothing', {}],
    ['headers that are not JSON', { 'x-turnout-original-headers': '{' }],
    ['headers that are not strings', { 'x-turnout-original-headers': '{"a":1}' }],
  ])('from another producer can be read: %s', (_name, headers) => {
    const stored = readLetter({ ...message, headers });
    expect(stored).toMatchObject({
      origin: 't.jobs/2/9',
      headers: {},
      reason: expect.stringMatching(/unknown/),
    });
  });

  test.each([
    ['t.jobs/2/9', 't.jobs'],
    ['bullmq/llm/job_1', undefined],
    ['bullmq/1/2', undefined],
    ['nonsense', undefined],
  ])('from %s came from the topic %s', (origin, topic) => {
    expect(topicOf({ ...letterOfMessage(message, 'r'), origin })).toBe(topic);
  });
});
