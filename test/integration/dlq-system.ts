import { randomBytes } from 'node:crypto';
import { toHeaders } from '../../shared/contracts/cloud-event.ts';
import { JOB_TYPE, type JobMessage } from '../../shared/contracts/job-message.ts';
import { createJobLog, type JobLog } from '../../shared/jobs/joblog/job-log.ts';
import { createDeadLetters, type DeadLetters, letterOfMessage } from '../../shared/jobs/dead-letters.ts';
import { createKafka } from '../../shared/platform/kafka/kafkajs.ts';
import {
  type InboundMessage,
  type OutboundMessage,
  type Producer,
} from '../../shared/platform/kafka/port.ts';
import { topicNames, topicSpecs } from '../../shared/platform/kafka/topics.ts';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { connectRedisWaiting, type Redis } from '../../shared/platform/redis/connect.ts';
import { jobKeys } from '../../shared/platform/redis/keys.ts';
import { testEnv } from '../harness/env.ts';
import { type CliOptions, type CliRun, runTurnout } from '../harness/turnout-cli.ts';
import { removeKeys } from '../harness/scan-keys.ts';

/** A separate prefix for topics and keys, and the command line to inspect them. */
export interface DlqSystem {
  prefix: string;
  redis: Redis;
  producer: Producer;
  jobLog: JobLog;
  run(args: readonly string[], options?: CliOptions): Promise<CliRun>;
  dlq(...args: string[]): Promise<CliRun>;
  messageOf(value: string, id: string): OutboundMessage;
  lettersOf(source: string): DeadLetters;
  /** Publishes a message to the dead-letter topic as the router does. Returns its id. */
  publish(value: string, more?: { id?: string; offset?: bigint; reason?: string }): Promise<string>;
  /** The messages on the job topic. */
  published(): Promise<InboundMessage[]>;
  admit(job: JobMessage): Promise<void>;
  /** Closes the connections and removes the keys. */
  close(): Promise<void>;
}

export async function openDlqSystem(): Promise<DlqSystem> {
  const { KAFKA_BROKERS, REDIS_URL } = testEnv();
  const prefix = `t-dlq-${randomBytes(4).toString('hex')}`;
  const topics = topicNames(prefix);
  const kafka = createKafka({
    brokers: KAFKA_BROKERS.split(','),
    clientId: 'dlq-test',
    log: silentLogger,
  });
  await kafka.ensureTopics(topicSpecs(topics, 1));
  const redis = connectRedisWaiting(REDIS_URL, 'dlq-test', silentLogger);
  const producer = await kafka.producer();
  const jobLog = createJobLog({ redis, keys: jobKeys(prefix), retentionMs: 60_000 });
  const run: DlqSystem['run'] = (args, options) => runTurnout(prefix, args, options);
  const lettersOf = (source: string) => createDeadLetters(producer, topics.deadLetters, source);
  const messageOf = (value: string, id: string): OutboundMessage => {
    const headers = { ...toHeaders({ id, type: JOB_TYPE, source: 'test' }), 'x-own': 'ä' };
    return { topic: topics.jobs, key: 'user-1', value, headers };
  };
  return {
    prefix,
    redis,
    producer,
    jobLog,
    run,
    dlq: (...args) => run(['dlq', ...args]),
    messageOf,
    lettersOf,
    publish: async (value, { id = 'no-job', offset = 0n, reason = 'the message is not valid JSON' } = {}) => {
      const message = { ...messageOf(value, id), partition: 0, offset, timestamp: 0 };
      await lettersOf('router').publish(letterOfMessage(message, reason));
      return `${message.topic}/0/${offset}`;
    },
    published: async () => {
      const seen: InboundMessage[] = [];
      const onBatch = ({ messages }: { messages: readonly InboundMessage[] }) =>
        Promise.resolve(void seen.push(...messages));
      await kafka.readTopic({ topic: topics.jobs, timeoutMs: 15_000, onBatch });
      return seen;
    },
    admit: async ({ jobId, user, userHash, model, acceptedAt, deadlineAt }) => {
      const record = { jobId, owner: user, userHash, model, acceptedAt, deadlineAt };
      await jobLog.admit({ ...record, bodyHash: '', reader: '', graceMs: undefined });
    },
    close: async () => {
      await producer.close();
      await removeKeys(redis, `${prefix}:*`);
      await redis.quit();
    },
  };
}
