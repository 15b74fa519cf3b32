import { type Kafka as KafkaClient } from 'kafkajs';

/** Deletes a consumer group; it must have no members. */
export async function deleteGroup(client: KafkaClient, groupId: string): Promise<void> {
  const admin = client.admin();
  await admin.connect();
  try {
    await admin.deleteGroups([groupId]);
  } finally {
    await admin.disconnect();
  }
}
