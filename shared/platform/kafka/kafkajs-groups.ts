import { type Kafka as KafkaClient } from 'kafkajs';

/** Of a group without members. */
export async function deleteGroup(client: KafkaClient, groupId: string): Promise<void> {
  const admin = client.admin();
  await admin.connect();
  try {
    await admin.deleteGroups([groupId]);
  } finally {
    await admin.disconnect();
  }
}
