import { type Admin, type Kafka as KafkaClient } from 'kafkajs';
import { type ConsumerOptions, type PartitionOffsets } from './port.ts';

/** Looks up offsets of a partition. Each call opens its own connection; that is fine because calls are rare, mostly at assignment. */
export function partitionOffsets(
  client: KafkaClient,
  { groupId, topic }: Pick<ConsumerOptions, 'groupId' | 'topic'>,
  partition: number,
): PartitionOffsets {
  return {
    committed: async () => {
      const groups = await ask(client, (admin) => admin.fetchOffsets({ groupId, topics: [topic] }));
      const found = groups.flatMap(({ partitions }) => partitions).find((one) => one.partition === partition);
      return found === undefined || found.offset === '-1' ? undefined : BigInt(found.offset);
    },
    at: async (timestamp) => {
      const offsets = await ask(client, (admin) => admin.fetchTopicOffsetsByTimestamp(topic, timestamp));
      const found = offsets.find((one) => one.partition === partition);
      if (!found) throw new Error(`Topic ${topic} has no partition ${partition}`);
      return BigInt(found.offset);
    },
    end: async () => {
      const offsets = await ask(client, (admin) => admin.fetchTopicOffsets(topic));
      const found = offsets.find((one) => one.partition === partition);
      if (!found) throw new Error(`Topic ${topic} has no partition ${partition}`);
      return BigInt(found.high);
    },
  };
}

async function ask<T>(client: KafkaClient, question: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = client.admin();
  await admin.connect();
  try {
    return await question(admin);
  } finally {
    await admin.disconnect();
  }
}
