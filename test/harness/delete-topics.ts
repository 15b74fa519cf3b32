import { Kafka, logLevel } from 'kafkajs';
import { until } from '../../stack/until.ts';

/** As an operator does; resolves when Kafka knows them no more. */
export async function deleteTopics(brokers: string[], topics: readonly string[]): Promise<void> {
  const admin = new Kafka({ brokers, clientId: 'delete-topics', logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    await admin.deleteTopics({ topics: [...topics] });
    const gone = async () => {
      const left = await admin.listTopics();
      return topics.every((topic) => !left.includes(topic));
    };
    if (!(await until(gone, { timeoutMs: 30_000, everyMs: 50 })))
      throw new Error(`Kafka still knows some of ${topics.join(', ')}`);
  } finally {
    await admin.disconnect();
  }
}
