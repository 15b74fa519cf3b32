import kafkajs, {
  type Admin,
  type ISocketFactory,
  Kafka as KafkaClient,
  logLevel,
  type LogEntry,
} from 'kafkajs';
import { type Logger } from '../log/logger.ts';
import { createConsumer } from './kafkajs-consumer.ts';
import { stopIdleTimers } from './kafkajs-idle-timer.ts';
import { createProducer } from './kafkajs-producer.ts';
import { followTopic } from './kafkajs-topic-follower.ts';
import { readTopic } from './kafkajs-topic-reader.ts';
import { type Kafka, type TopicSpec } from './port.ts';
import { differencesOf, type FoundTopic } from './topic-settings.ts';
import { retrying } from '../util/retrying.ts';

export interface KafkaOptions {
  brokers: readonly string[];
  clientId: string;
  log: Logger;
  /** Opens connections; default: kafkajs's own factory. */
  socketFactory?: ISocketFactory;
}

/** The Kafka port, implemented with kafkajs 2.2. */
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
  /** Largest record batch in bytes, by topic. */
  const batchBytes = new Map<string, number>();
  return {
    ensureTopics: async (specs) => {
      await retrying(() => createMissing(client, specs), { attempts: 10, baseMs: 200, maxMs: 2_000 });
      await checkTopics(client, specs, { batchBytes, log });
    },
    producer: () => createProducer(client, { log, maxBatchBytes: (topic) => batchBytes.get(topic) }),
    consumer: (options) => createConsumer(client, options, log),
    readTopic: (options) => readTopic(client, options, log),
    followTopic: (options) => followTopic(client, options, log),
  };
}

const BROKER_DEFAULT = -1;

async function createMissing(client: KafkaClient, specs: readonly TopicSpec[]): Promise<void> {
  const admin = client.admin();
  await admin.connect();
  try {
    const existing = new Set(await admin.listTopics());
    const missing = specs.filter(({ topic }) => !existing.has(topic));
    if (missing.length === 0) return;
    await admin.createTopics({
      waitForLeaders: true,
      topics: missing.map(({ topic, partitions, replication, config }) => ({
        topic,
        numPartitions: partitions,
        replicationFactor: replication ?? BROKER_DEFAULT,
        configEntries: Object.entries(config ?? {}).map(([name, value]) => ({ name, value })),
      })),
    });
  } finally {
    await admin.disconnect();
  }
}

interface Checked {
  batchBytes: Map<string, number>;
  log: Logger;
}

/** Warns about topics whose settings differ from what Turnout needs. Never rejects: some brokers do not reveal their settings. */
async function checkTopics(client: KafkaClient, specs: readonly TopicSpec[], { batchBytes, log }: Checked) {
  const admin = client.admin();
  try {
    await admin.connect();
    const found = await describeTopics(admin, specs);
    for (const spec of specs) {
      const topic = found.get(spec.topic);
      if (!topic) continue;
      const bytes = Number(topic.config['max.message.bytes']);
      if (bytes > 0) batchBytes.set(spec.topic, bytes);
      for (const difference of differencesOf(spec, topic))
        log.warn(difference, 'Topic settings differ from what Turnout needs');
    }
  } catch (error) {
    log.warn({ err: error }, 'Topic settings could not be read and were not checked');
  } finally {
    await admin.disconnect();
  }
}

async function describeTopics(admin: Admin, specs: readonly TopicSpec[]): Promise<Map<string, FoundTopic>> {
  const names = specs.map(({ topic }) => topic);
  const { topics } = await admin.fetchTopicMetadata({ topics: names });
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: names.map((name) => ({ type: kafkajs.ConfigResourceTypes.TOPIC, name })),
  });
  const configs = new Map(
    resources.map(({ resourceName, configEntries }) => [
      resourceName,
      Object.fromEntries(configEntries.map(({ configName, configValue }) => [configName, configValue])),
    ]),
  );
  return new Map(
    topics.map(({ name, partitions }) => [
      name,
      {
        partitions: partitions.length,
        replicas: Math.min(...partitions.map(({ replicas }) => replicas.length)),
        config: configs.get(name) ?? {},
      },
    ]),
  );
}

/** Forwards kafkajs's log at a lower level: it warns of many problems from which it recovers. Real failures reject a call. */
function forward(log: Logger, { level, namespace, log: entry }: LogEntry): void {
  const { message, error } = entry as { message: string; error?: unknown };
  const write = level === logLevel.ERROR ? log.warn.bind(log) : log.debug.bind(log);
  write({ namespace, reason: typeof error === 'string' ? error : undefined }, `Kafka: ${message}`);
}
