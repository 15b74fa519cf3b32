import { type ISocketFactory, Kafka as KafkaClient, logLevel, type LogEntry } from 'kafkajs';
import { type Logger } from '../log/logger.ts';
import { createConsumer } from './kafkajs-consumer.ts';
import { stopIdleTimers } from './kafkajs-idle-timer.ts';
import { createProducer } from './kafkajs-producer.ts';
import { followTopic } from './kafkajs-topic-follower.ts';
import { readTopic } from './kafkajs-topic-reader.ts';
import { type Kafka, type TopicSpec } from './port.ts';
import { retrying } from '../util/retrying.ts';

export interface KafkaOptions {
  brokers: readonly string[];
  clientId: string;
  log: Logger;
  /** How connections are opened; default: by kafkajs itself. */
  socketFactory?: ISocketFactory;
}

/** The Kafka port on kafkajs 2.2. */
export function createKafka({ brokers, clientId, log, socketFactory }: KafkaOptions): Kafka {
  stopIdleTimers();
  const client = new KafkaClient({
    brokers: [...brokers],
    clientId,
    ...(socketFactory ? { socketFactory } : {}),
    connectionTimeout: 2_000,
    requestTimeout: 6_000,
    retry: { initialRetryTime: 50, maxRetryTime: 1_000, retries: 5 },
    logLevel: logLevel.WARN,
    logCreator: () => (entry) => forward(log, entry),
  });
  return {
    ensureTopics: (specs) =>
      retrying(() => createMissing(client, specs), { attempts: 10, baseMs: 200, maxMs: 2_000 }),
    producer: () => createProducer(client, { log, maxBatchBytes: () => undefined }),
    consumer: (options) => createConsumer(client, options, log),
    readTopic: (options) => readTopic(client, options, log),
    followTopic: (options) => followTopic(client, options, log),
  };
}

async function createMissing(client: KafkaClient, specs: readonly TopicSpec[]): Promise<void> {
  const admin = client.admin();
  await admin.connect();
  try {
    const existing = new Set(await admin.listTopics());
    const missing = specs.filter(({ topic }) => !existing.has(topic));
    if (missing.length === 0) return;
    await admin.createTopics({
      waitForLeaders: true,
      topics: missing.map(({ topic, partitions, config }) => ({
        topic,
        numPartitions: partitions,
        configEntries: Object.entries(config ?? {}).map(([name, value]) => ({ name, value })),
      })),
    });
  } finally {
    await admin.disconnect();
  }
}

/** kafkajs warns of much that it then repairs by itself; what matters surfaces as a rejected call. */
function forward(log: Logger, { level, namespace, log: entry }: LogEntry): void {
  const { message, error } = entry as { message: string; error?: unknown };
  const write = level === logLevel.ERROR ? log.warn.bind(log) : log.debug.bind(log);
  write({ namespace, reason: typeof error === 'string' ? error : undefined }, `Kafka: ${message}`);
}
