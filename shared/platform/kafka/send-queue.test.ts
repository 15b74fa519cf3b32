import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { type OutboundMessage } from './port.ts';
import { createSendQueue, type Transport } from './send-queue.ts';

const KB = 1_024;

function message(value: string, topic = 't'): OutboundMessage {
  return { topic, key: 'k', value, headers: {} };
}

/** A fake broker: each request waits until the test calls `answer` or `fail`. */
function broker(more: Partial<Transport> = {}) {
  const requests: { messages: readonly OutboundMessage[]; answer: () => void; fail: (e: Error) => void }[] =
    [];
  const queue = createSendQueue({
    prepare: () => Promise.resolve(),
    flush: (messages) => {
      const { promise, resolve, reject } = Promise.withResolvers<undefined>();
      requests.push({ messages, answer: () => resolve(undefined), fail: reject });
      return promise;
    },
    judge: (error) => ((error as Error).message === 'large' ? 'too_large' : 'away'),
    maxBatchBytes: () => undefined,
    ...more,
  });
  const values = () => requests.map(({ messages }) => messages.map(({ value }) => value.slice(0, 8)));
  return { queue, requests, values };
}

const settle = () => jest.advanceTimersByTimeAsync(0);
/** Longer than any pause between two attempts, and shorter than any deadline in these tests. */
const afterPause = () => jest.advanceTimersByTimeAsync(1_100);
const outcome = (sending: Promise<void>) =>
  sending.then(
    () => 'acknowledged',
    (error: unknown) => (error as { kind: string }).kind,
  );

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

describe('a group', () => {
  test('is bounded in bytes: many large messages are split over several requests, in order', async () => {
    const { queue, requests, values } = broker();
    const sent = Array.from({ length: 13 }, (_, i) =>
      outcome(queue.send(message(String(i).padEnd(220 * KB, 'x')))),
    );
    for (let at = 0; at < 4; at += 1) {
      await settle();
      requests[at]?.answer();
    }
    expect(await Promise.all(sent)).toEqual(sent.map(() => 'acknowledged'));
    expect(requests.map(({ messages }) => messages.length)).toEqual([4, 4, 4, 1]);
    expect(values().flat()).toEqual(sent.map((_, i) => String(i).padEnd(8, 'x')));
  });

  test('counts the bytes of keys and headers, including multi-byte characters', async () => {
    const { queue, requests } = broker();
    const heavy = { topic: 't', key: '€'.repeat(100_000), value: 'v', headers: { h: 'ä'.repeat(150_000) } };
    void outcome(queue.send(heavy));
    void outcome(queue.send(heavy));
    await settle();
    requests[0]?.answer();
    await settle();
    expect(requests.map(({ messages }) => messages.length)).toEqual([1, 1]);
  });

  test('respects the smaller batch limit of a topic', async () => {
    const { queue, requests } = broker({ maxBatchBytes: () => 10 * KB });
    for (let i = 0; i < 3; i += 1) void outcome(queue.send(message('x'.repeat(4 * KB))));
    await settle();
    requests[0]?.answer();
    await settle();
    expect(requests.map(({ messages }) => messages.length)).toEqual([2, 1]);
  });

  test('contains a single topic: a topic that Kafka rejects does not block the others', async () => {
    const { queue, requests, values } = broker();
    void outcome(queue.send(message('missing', 'none')));
    const other = outcome(queue.send(message('fine')));
    await settle();
    requests[0]?.fail(new Error('no such topic'));
    await afterPause();
    requests[1]?.answer();
    expect(await other).toBe('acknowledged');
    expect(values().slice(0, 2)).toEqual([['missing'], ['fine']]);
  });

  test('with a message that Kafka rejects is sent again one by one: only that message fails', async () => {
    const { queue, requests } = broker();
    const sent = ['a', 'large', 'b'].map((value) => outcome(queue.send(message(value))));
    await settle();
    requests[0]?.fail(new Error('large'));
    for (const [at, refused] of [false, true, false].entries()) {
      await settle();
      if (refused) requests[at + 1]?.fail(new Error('large'));
      else requests[at + 1]?.answer();
    }
    expect(await Promise.all(sent)).toEqual(['acknowledged', 'too_large', 'acknowledged']);
    expect(requests.slice(1).map(({ messages }) => messages.length)).toEqual([1, 1, 1]);
  });
});

describe('a message', () => {
  test('that exceeds its topic’s limit is rejected at once, and nothing is sent', async () => {
    const { queue, requests } = broker({ maxBatchBytes: () => KB });
    expect(await outcome(queue.send(message('x'.repeat(KB))))).toBe('too_large');
    expect(requests).toEqual([]);
  });

  test('that waits is dropped when its caller aborts: it is never sent', async () => {
    const { queue, requests, values } = broker();
    const giving = new AbortController();
    void outcome(queue.send(message('flying')));
    await settle();
    const given = outcome(queue.send(message('given up'), { signal: giving.signal }));
    void outcome(queue.send(message('live')));
    await settle();
    giving.abort();
    expect(await given).toBe('not_sent');
    requests[0]?.answer();
    await settle();
    expect(values()).toEqual([['flying'], ['live']]);
  });

  test('that waits is dropped at its deadline while another one is in flight', async () => {
    const { queue, requests, values } = broker();
    void outcome(queue.send(message('flying'), { deadlineAt: Date.now() + 60_000 }));
    await settle();
    const late = outcome(queue.send(message('late'), { deadlineAt: Date.now() + 500 }));
    await jest.advanceTimersByTimeAsync(500);
    expect(await late).toBe('not_sent');
    requests[0]?.answer();
    await settle();
    expect(values()).toEqual([['flying']]);
  });

  test('that is in flight at its deadline fails as unknown and is not sent again', async () => {
    const { queue, requests } = broker();
    const late = outcome(queue.send(message('late'), { deadlineAt: Date.now() + 500 }));
    await jest.advanceTimersByTimeAsync(500);
    expect(await late).toBe('unknown');
    requests[0]?.fail(new Error('away'));
    await afterPause();
    expect(requests).toHaveLength(1);
  });

  test('is sent again while Kafka is unreachable, for as long as its caller waits', async () => {
    const { queue, requests } = broker();
    const patient = outcome(queue.send(message('patient'), { deadlineAt: Date.now() + 30_000 }));
    await settle();
    for (let at = 0; at < 10; at += 1) {
      requests[at]?.fail(new Error('away'));
      await afterPause();
    }
    requests[10]?.answer();
    expect(await patient).toBe('acknowledged');
  });

  test('that could never be sent before its deadline fails as not_sent', async () => {
    const { queue, requests } = broker({ prepare: () => Promise.reject(new Error('away')) });
    const waiting = outcome(queue.send(message('waiting'), { deadlineAt: Date.now() + 5_000 }));
    await jest.advanceTimersByTimeAsync(5_000);
    expect(await waiting).toBe('not_sent');
    expect(requests).toEqual([]);
  });

  test('that was tried once fails as unknown if its caller aborts later', async () => {
    const { queue, requests } = broker();
    const giving = new AbortController();
    const tried = outcome(
      queue.send(message('tried'), { signal: giving.signal, deadlineAt: Date.now() + 60_000 }),
    );
    await settle();
    requests[0]?.fail(new Error('away'));
    await settle();
    giving.abort();
    expect(await tried).toBe('unknown');
  });

  test('sent after close is rejected; earlier ones are sent, or dropped when the grace period ends', async () => {
    const { queue, requests } = broker();
    const before = outcome(queue.send(message('before'), { deadlineAt: Date.now() + 60_000 }));
    await settle();
    const never = outcome(queue.send(message('never'), { deadlineAt: Date.now() + 60_000 }));
    await settle();
    const closing = queue.close(1_000);
    expect(await outcome(queue.send(message('after')))).toBe('not_sent');
    await jest.advanceTimersByTimeAsync(1_000);
    await closing;
    expect(await never).toBe('not_sent');
    requests[0]?.answer();
    expect(await before).toBe('acknowledged');
  });
});
