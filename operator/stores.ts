import { createJobLog, type JobLog } from '../shared/jobs/joblog/job-log.ts';
import { createKafka } from '../shared/platform/kafka/kafkajs.ts';
import { type Kafka } from '../shared/platform/kafka/port.ts';
import { topicNames, type Topics } from '../shared/platform/kafka/topics.ts';
import { silentLogger } from '../shared/platform/log/logger.ts';
import { closeRedis, connectRedis, type Redis } from '../shared/platform/redis/connect.ts';
import { type JobKeys, jobKeys } from '../shared/platform/redis/keys.ts';
import { CommandFailed } from './context.ts';
import { type OperatorSettings } from './settings.ts';

/** What a command works on. */
export interface Stores {
  kafka: Kafka;
  topics: Topics;
  redis: Redis;
  keys: JobKeys;
  jobLog: JobLog;
  /** The servers, as an operator is told of them. */
  places: { kafka: string; redis: string };
}

/** Runs a command's work with connections that are closed afterwards. */
export async function withStores<T>(
  settings: OperatorSettings,
  work: (stores: Stores) => Promise<T>,
): Promise<T> {
  // Silent: what a command could not do is said once, by itself, not by every attempt of a client library.
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
      places: {
        kafka: `Kafka at ${settings.KAFKA_BROKERS.join(',')}`,
        redis: `Redis at ${new URL(settings.REDIS_URL).host}`, // the whole URL may hold a password
      },
    });
  } finally {
    await closeRedis(redis);
  }
}

/** Says which server a step needed when it fails. Throws `CommandFailed`. */
export async function needing<T>(place: string, step: Promise<T>): Promise<T> {
  try {
    return await step;
  } catch (error) {
    if (error instanceof CommandFailed) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new CommandFailed(`${place}: ${why}\n${HINT}`, { cause: error });
  }
}

const HINT = '`make status` shows what runs; KAFKA_BROKERS and REDIS_URL together name other servers.';
