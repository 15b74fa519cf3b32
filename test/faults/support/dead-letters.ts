import { readLetter, type StoredLetter } from '../../../shared/jobs/dead-letters.ts';
import { createKafka } from '../../../shared/platform/kafka/kafkajs.ts';
import { topicNames } from '../../../shared/platform/kafka/topics.ts';
import { silentLogger } from '../../../shared/platform/log/logger.ts';
import { testEnv } from '../../harness/env.ts';

/** All dead letters of the services with this prefix. */
export async function deadLetters(prefix: string): Promise<StoredLetter[]> {
  const brokers = testEnv().KAFKA_BROKERS.split(',');
  const kafka = createKafka({ brokers, clientId: 'witness', log: silentLogger });
  const letters: StoredLetter[] = [];
  await kafka.readTopic({
    topic: topicNames(prefix).deadLetters,
    timeoutMs: 15_000,
    onBatch: ({ messages }) => Promise.resolve(void letters.push(...messages.map(readLetter))),
  });
  return letters;
}

/** True for an accepted job whose record the job Redis lost, if no idempotency key and no stored response leads to its answer. */
export function isOfLostRecord({ reason }: StoredLetter): boolean {
  return reason.startsWith('the job has no record');
}
