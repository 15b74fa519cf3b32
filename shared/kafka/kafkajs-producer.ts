import {
  type Kafka as KafkaClient,
  type Message,
  Partitioners,
  type Producer as ClientProducer,
} from 'kafkajs';
import { type Logger } from '../log/logger.ts';
import { groupCommit } from '../util/group-commit.ts';
import { retrying } from '../util/retrying.ts';
import { withTimeout } from '../util/with-timeout.ts';
import { type OutboundMessage, type Producer } from './port.ts';

/** A caller waits at most this long; it then does not know whether the broker has the message. */
const SEND_TIMEOUT_MS = 8_000;
const BROKER_TIMEOUT_MS = 5_000;

/**
 * Idempotent, acks=all, one request in flight (more loses the order and the idempotence in kafkajs). Sends that meet a
 * request in flight travel together in the next one.
 *
 * After a failed request the kafkajs producer is replaced: its sequence numbers may no longer be the broker's, and a
 * new producer id is the only repair. A message may then be written twice, which every reader of ours tolerates.
 */
export async function createProducer(client: KafkaClient, log: Logger): Promise<Producer> {
  let current = newClientProducer(client);
  let healthy = true;
  // A cold broker has no coordinator for producer ids yet.
  await retrying(() => current.connect(), { attempts: 10, baseMs: 200, maxMs: 2_000 });

  async function replace(): Promise<void> {
    const broken = current;
    current = newClientProducer(client);
    broken
      .disconnect()
      .catch((error: unknown) => log.debug({ err: error }, 'Kafka: a broken producer did not disconnect'));
    await current.connect();
  }

  const commit = groupCommit<OutboundMessage>(async (messages) => {
    try {
      if (!healthy) await replace();
      await current.sendBatch({ acks: -1, timeout: BROKER_TIMEOUT_MS, topicMessages: byTopic(messages) });
      healthy = true;
    } catch (error) {
      healthy = false;
      throw error;
    }
  });

  return {
    send: (message) => withTimeout(commit.add(message), SEND_TIMEOUT_MS, 'Kafka did not acknowledge in time'),
    connected: () => healthy,
    close: async () => {
      await withTimeout(
        commit.idle(),
        SEND_TIMEOUT_MS,
        'Kafka did not acknowledge what was in flight',
      ).finally(() => current.disconnect());
    },
  };
}

function newClientProducer(client: KafkaClient): ClientProducer {
  return client.producer({
    idempotent: true,
    maxInFlightRequests: 1,
    allowAutoTopicCreation: false,
    createPartitioner: Partitioners.DefaultPartitioner,
    // kafkajs insists on retries with idempotence; the caller's patience ends first.
    retry: { initialRetryTime: 50, maxRetryTime: 1_000, retries: 4 },
  });
}

function byTopic(messages: readonly OutboundMessage[]): { topic: string; messages: Message[] }[] {
  const topics = Map.groupBy(messages, ({ topic }) => topic);
  return [...topics].map(([topic, group]) => ({
    topic,
    messages: group.map(({ key, value, headers }) => ({ key, value, headers })),
  }));
}
