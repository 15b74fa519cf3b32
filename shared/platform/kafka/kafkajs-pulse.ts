import { type Admin, type Kafka as KafkaClient } from 'kafkajs';
import { type Logger } from '../log/logger.ts';
import { withTimeout } from '../util/with-timeout.ts';

/** Health check of Kafka over its own permanent connection. */
export interface Pulse {
  /** Rejects if Kafka does not answer in time, or if a partition of one of the topics has no leader. */
  check(topics: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

const ANSWER_MS = 3_000;

export function createPulse(client: KafkaClient, log: Logger): Pulse {
  let admin: Admin | undefined;

  async function ask(topics: readonly string[]): Promise<void> {
    if (!admin) {
      admin = client.admin({ retry: { initialRetryTime: 50, retries: 1 } });
      await admin.connect();
    }
    if (topics.length === 0) await admin.describeCluster();
    else await admin.fetchTopicMetadata({ topics: [...topics] });
  }

  /** Discards a failed connection; the next check opens a new one. */
  async function drop(): Promise<void> {
    const dropped = admin;
    admin = undefined;
    await dropped?.disconnect();
  }

  return {
    check: async (topics) => {
      try {
        await withTimeout(ask(topics), ANSWER_MS, 'Kafka did not answer');
      } catch (error) {
        drop().catch((late: unknown) => log.debug({ err: late }, 'Kafka: a connection could not be closed'));
        throw error;
      }
    },
    close: drop,
  };
}
