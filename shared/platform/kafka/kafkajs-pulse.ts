import { type Admin, type Kafka as KafkaClient } from 'kafkajs';
import { type Logger } from '../log/logger.ts';
import { withTimeout } from '../util/with-timeout.ts';

/** Asks Kafka whether it is there, over a connection of its own, which it keeps. */
export interface Pulse {
  /** Rejects when Kafka does not answer in time, or when a partition of one of the topics has no leader. */
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

  /** A connection that failed is not asked again. */
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
        drop().catch((late: unknown) => log.debug({ err: late }, 'Kafka: a connection did not close'));
        throw error;
      }
    },
    close: drop,
  };
}
