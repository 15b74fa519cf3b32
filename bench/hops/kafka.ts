import { createKafka } from '../../shared/platform/kafka/kafkajs.ts';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { until } from '../../stack/until.ts';
import type { Hop } from './paced.ts';

/** From an idempotent produce to the consumer, through Turnout's own Kafka port. */
export async function openKafkaHop(
  options: { brokers: readonly string[]; prefix: string },
  arrived: (number: number) => void,
): Promise<Hop> {
  const kafka = createKafka({ brokers: options.brokers, clientId: 'turnout-bench', log: silentLogger });
  const topic = `${options.prefix}.hop`;
  await kafka.ensureTopics([{ topic, partitions: 6 }]);
  const consumer = kafka.consumer({
    groupId: `${options.prefix}-hop`,
    topic,
    onBatch: ({ messages }) => {
      for (const { value } of messages) arrived(Number(value));
      return Promise.resolve();
    },
  });
  await consumer.start();
  if (!(await until(() => consumer.joined(), { timeoutMs: 20_000 }))) {
    throw new Error('The consumer of the Kafka hop did not join its group within 20 s');
  }
  const producer = await kafka.producer();
  return {
    send: (number) => producer.send({ topic, key: String(number), value: String(number), headers: {} }),
    close: async () => {
      await producer.close();
      await consumer.close();
    },
  };
}
