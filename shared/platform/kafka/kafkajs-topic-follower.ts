import { type Kafka as KafkaClient } from 'kafkajs';
import { randomBytes } from 'node:crypto';
import { type Logger } from '../log/logger.ts';
import { retrying } from '../util/retrying.ts';
import { createConsumer } from './kafkajs-consumer.ts';
import { type FollowTopicOptions, type TopicFollower } from './port.ts';

/**
 * following -> caught up -> following -> closed. The one member of a group that nobody else has; after a rejoin it goes on behind
 * the last message that was taken, which it alone knows. A topic that ends before that message, or hands over messages below it that are
 * newer, was deleted and made again: it is read from its beginning.
 */
export async function followTopic(
  client: KafkaClient,
  { topic, onMessage }: FollowTopicOptions,
  log: Logger,
): Promise<TopicFollower> {
  const { promise: caughtUp, resolve } = Promise.withResolvers<undefined>();
  const end = await endOf(client, topic);
  let next = 0n;
  /** When Kafka took the newest message that was handed over; milliseconds since the epoch. */
  let newestAt = 0;
  const moveTo = (offset: bigint) => {
    next = offset;
    if (next >= end) resolve(undefined);
  };
  const beginAnew = (found: object) => {
    log.error(
      { topic, next: next.toString(), ...found },
      'The topic was made anew; it is read from its beginning',
    );
    next = 0n;
  };
  const consumer = createConsumer(
    client,
    {
      groupId: `follow-${topic}-${randomBytes(6).toString('hex')}`,
      topic,
      temporary: true,
      position: async ({ offsets }) => {
        const last = next > 0n ? await offsets.end() : next;
        if (last < next) beginAnew({ end: last.toString() });
        return next;
      },
      onBatch: async ({ messages }) => {
        const [first] = messages;
        if (first && first.offset < next && first.timestamp > newestAt)
          beginAnew({ offset: first.offset.toString() });
        for (const message of messages) {
          if (message.offset < next) continue;
          await onMessage(message);
          newestAt = Math.max(newestAt, message.timestamp);
          moveTo(message.offset + 1n);
        }
      },
    },
    log,
  );
  moveTo(0n);
  await consumer.start();
  return { caughtUp, joined: () => consumer.joined(), close: () => consumer.close() };
}

/** 0 for a topic without messages: also one whose messages are all gone. A topic that was just made has no leader yet. */
async function endOf(client: KafkaClient, topic: string): Promise<bigint> {
  const admin = client.admin();
  const backoff = { attempts: 10, baseMs: 200, maxMs: 2_000 };
  await retrying(() => admin.connect(), backoff);
  try {
    const [partition] = await retrying(() => admin.fetchTopicOffsets(topic), backoff);
    if (!partition || partition.low === partition.high) return 0n;
    return BigInt(partition.high);
  } finally {
    await admin.disconnect();
  }
}
