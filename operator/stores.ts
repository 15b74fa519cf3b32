import { createJobLog, type JobLog } from '../shared/jobs/joblog/job-log.ts';
import { createKafka } from '../shared/platform/kafka/kafkajs.ts';
import { type Kafka } from '../shared/platform/kafka/port.ts';
import { topicNames, type Topics } from '../shared/platform/kafka/topics.ts';
import { silentLogger } from '../shared/platform/log/logger.ts';
import { closeRedis, connectRedis, type Redis } from '../shared/platform/redis/connect.ts';
import { type JobKeys, jobKeys } from '../shared/platform/redis/keys.ts';
import { CommandFailed } from './context.ts';
import { type OperatorSettings } from './settings.ts';

/** The connections and stores that a command works with. */
export interface Stores {
  kafka: Kafka;
  topics: Topics;
  redis: Redis;
  keys: JobKeys;
  jobLog: JobLog;
  /** The names of the servers in error messages. */
  addresses: { kafka: string; redis: string };
}

/** Runs `work` with open connections and closes them afterwards. */
export async function withStores<T>(
  settings: OperatorSettings,
  work: (stores: Stores) => Promise<T>,
): Promise<T> {
  // Silent: the command reports a failure once. The client libraries would log every attempt.
  const log = silentLogger;
  const redis = connectRedis(settings.REDIS_URL, 'operator', log);
  const keys = jobKeys(settings.REDIS_PREFIX);
  try {
    return await work({
      kafka: createKafka({ brokers: settings.KAFKA_BROKERS, clientId: 'turnout-operator', log }),
      topics: topicNames(settings.TOPIC_PREFIX),
      redis,
      keys,
      jobLog: createJobLog({ redis, keys, retentionMs: settings.LOG_RETENTION_MS }),
      addresses: {
        kafka: `Kafka at ${settings.KAFKA_BROKERS.join(',')}`,
        redis: `Redis at ${new URL(settings.REDIS_URL).host}`, // without the rest of the URL, which may contain a password
      },
    });
  } finally {
    await closeRedis(redis);
  }
}

/** Adds the server's name to the error if the step fails. Throws `CommandFailed`. */
export async function needing<T>(dependency: string, step: Promise<T>): Promise<T> {
  try {
    return await step;
  } catch (error) {
    if (error instanceof CommandFailed) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new CommandFailed(`${dependency}: ${why}\n${HINT}`, { cause: error });
  }
}

const HINT = '`make status` shows what runs. Set KAFKA_BROKERS and REDIS_URL to use other servers.';
