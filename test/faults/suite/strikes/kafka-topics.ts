import { Kafka, logLevel } from 'kafkajs';
import { createKafka } from '../../../../shared/platform/kafka/kafkajs.ts';
import { topicSpecs } from '../../../../shared/platform/kafka/topics.ts';
import { silentLogger } from '../../../../shared/platform/log/logger.ts';
import { deleteTopics } from '../../../harness/delete-topics.ts';
import { type Ground } from '../ground.ts';

/** Deletes topics and creates them again, without their messages, as an operator might. Our services never delete a topic. */
export async function recreate({ topics, kafkaProxy }: Ground, names: readonly string[]): Promise<void> {
  const brokers = [`127.0.0.1:${kafkaProxy.port}`];
  const admin = new Kafka({ brokers, clientId: 'fault-suite', logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    const { topics: found } = await admin.fetchTopicMetadata({ topics: [topics.jobs] });
    await deleteTopics(brokers, names);
    const partitions = found[0]?.partitions.length ?? 1;
    const kafka = createKafka({ brokers, clientId: 'fault-suite', log: silentLogger });
    await kafka.ensureTopics(topicSpecs(topics, partitions));
  } finally {
    await admin.disconnect();
  }
}
