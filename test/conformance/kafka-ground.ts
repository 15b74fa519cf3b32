import { afterAll, afterEach, beforeAll, beforeEach } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import {
  type Batch,
  type Consumer,
  type ConsumerOptions,
  type InboundMessage,
  type Kafka,
  type Producer,
} from '../../shared/platform/kafka/port.ts';
import { until } from '../../stack/until.ts';

export const PARTITIONS = 4;
export const WAIT_MS = 30_000;

/** A new topic for each test, and helpers to use it. Must be called within a `describe`. */
export function useKafka(create: () => Kafka) {
  let kafka: Kafka;
  let producer: Producer;
  let topic: string;
  let consumers: Consumer[];

  beforeAll(async () => {
    kafka = create();
    producer = await kafka.producer();
  });

  beforeEach(async () => {
    topic = `t-${randomBytes(6).toString('hex')}`;
    consumers = [];
    await kafka.ensureTopics([{ topic, partitions: PARTITIONS }]);
  });

  afterEach(() => Promise.all(consumers.map((consumer) => consumer.close())));
  afterAll(() => producer.close());

  const send = (key: string, value: string) => producer.send({ topic, key, value, headers: {} });
  const sendAll = (count: number, keys = 50) =>
    Promise.all(Array.from({ length: count }, (_, i) => send(`key-${i % keys}`, String(i))));

  async function join(more: Partial<ConsumerOptions> & Pick<ConsumerOptions, 'onBatch'>): Promise<Consumer> {
    const consumer = kafka.consumer({
      groupId: `${topic}-group`,
      topic,
      partitionsAtOnce: PARTITIONS,
      ...more,
    });
    consumers.push(consumer);
    await consumer.start();
    await eventually(() => consumer.joined());
    return consumer;
  }

  async function leave(consumer: Consumer): Promise<void> {
    consumers.splice(consumers.indexOf(consumer), 1);
    await consumer.close();
  }

  async function joinAndRead(seen: ReturnType<typeof collector>, count: number): Promise<Consumer> {
    const consumer = await join({ onBatch: seen.onBatch });
    await eventually(() => seen.messages.length === count);
    return consumer;
  }

  async function sendToOnePartition(count: number): Promise<void> {
    for (let i = 0; i < count; i += 1) await send('one', String(i));
  }

  return {
    kafka: () => kafka,
    topic: () => topic,
    producer: () => producer,
    send,
    sendAll,
    sendToOnePartition,
    join,
    joinAndRead,
    leave,
  };
}

export function keyOf({ partition, offset }: InboundMessage): string {
  return `${partition}/${offset}`;
}

export function collector() {
  const messages: InboundMessage[] = [];
  return {
    messages,
    offsets: () => messages.map(({ offset }) => offset),
    onBatch: (batch: Batch) => {
      messages.push(...batch.messages);
      return Promise.resolve();
    },
  };
}

export async function eventually(question: () => boolean | Promise<boolean>): Promise<void> {
  if (!(await until(question, { timeoutMs: WAIT_MS, everyMs: 10 })))
    throw new Error(`Condition not met after ${WAIT_MS} ms: ${question.toString()}`);
}
