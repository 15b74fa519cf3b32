import { Kafka, logLevel } from 'kafkajs';

/** The ids of the consumer groups that begin so, in order. */
export async function groupsLike(brokers: string, beginning: string): Promise<string[]> {
  const options = { brokers: brokers.split(','), clientId: 'list-groups', logLevel: logLevel.NOTHING };
  const admin = new Kafka(options).admin();
  await admin.connect();
  try {
    const { groups } = await admin.listGroups();
    return groups
      .map(({ groupId }) => groupId)
      .filter((id) => id.startsWith(beginning))
      .sort();
  } finally {
    await admin.disconnect();
  }
}
