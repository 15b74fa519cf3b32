import { Kafka, logLevel } from 'kafkajs';
import { until } from '../../stack/until.ts';

/** Deletes topics as an operator does. Resolves when Kafka no longer lists them. */
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
      throw new Error(`Kafka still lists some of ${topics.join(', ')} 30 s after their deletion`);
  } finally {
    await admin.disconnect();
  }
}
