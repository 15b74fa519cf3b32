import { type Kafka as KafkaClient } from 'kafkajs';
import { randomBytes } from 'node:crypto';
import { type Logger } from '../log/logger.ts';
import { retrying } from '../util/retrying.ts';
import { createConsumer } from './kafkajs-consumer.ts';
import { type FollowTopicOptions, type TopicFollower } from './port.ts';

/**
 * following -> caught up -> following -> closed. The follower is the only member of its own consumer group. It keeps its position in
 * memory and continues from there after a rejoin. If the topic ends before that position, or delivers newer messages below it, the
 * topic was deleted and recreated: the follower reads it from the beginning.
 */
export async function followTopic(
  client: KafkaClient,
  { topic, onMessage }: FollowTopicOptions,
  log: Logger,
): Promise<TopicFollower> {
  const { promise: caughtUp, resolve } = Promise.withResolvers<undefined>();
  const end = await endOf(client, topic);
  let next = 0n;
  /** Kafka timestamp of the newest delivered message; milliseconds since the epoch. */
  let newestAt = 0;
  const moveTo = (offset: bigint) => {
    next = offset;
    if (next >= end) resolve(undefined);
  };
  const beginAnew = (found: object) => {
    log.error(
      { topic, next: next.toString(), ...found },
      'Topic was recreated; reading it from the beginning',
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

/** The end offset; 0 if the topic has no messages, or none any more. Retries, because a new topic has no leader yet. */
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
