import { type Consumer as ClientConsumer, type EachBatchPayload, type Kafka as KafkaClient } from 'kafkajs';
import { randomBytes } from 'node:crypto';
import { type Logger } from '../log/logger.ts';
import { withTimeout } from '../util/with-timeout.ts';
import { SESSION_TIMEOUT_MS, toBatch, whileBeating } from './kafkajs-consumer.ts';
import { deleteGroup } from './kafkajs-groups.ts';
import { type ReadTopicOptions } from './port.ts';

/** Time limit for leaving the group. */
const LEAVE_TIMEOUT_MS = 3_000;

/**
 * asked -> reading -> whole | failed.
 *
 * kafkajs has no `assign`, so the reader joins its own consumer group, commits nothing, and deletes the group afterwards. The end
 * offsets are read before it joins: it does not wait for messages that are sent later.
 */
export async function readTopic(client: KafkaClient, options: ReadTopicOptions, log: Logger): Promise<void> {
  const readTimeout = startReadTimeout(options);
  const reading = read(client, options, readTimeout, log);
  try {
    await Promise.race([reading, readTimeout.over]);
  } finally {
    readTimeout.stop();
    // After the timeout nothing awaits `reading`, but it still has to leave its group.
    reading.catch((error: unknown) => log.debug({ err: error }, 'Kafka: a topic reader failed'));
  }
}

interface ReadTimeout {
  /** Rejects when no messages have arrived for too long. */
  over: Promise<never>;
  /** Runs the work on messages that have arrived, and restarts the timeout when it is done. */
  pauseFor<T>(work: () => Promise<T>): Promise<T>;
  stop(): void;
  ended(): boolean;
}

function startReadTimeout({ topic, timeoutMs }: ReadTopicOptions): ReadTimeout {
  const { promise, reject } = Promise.withResolvers<never>();
  let timer: NodeJS.Timeout;
  let ended = false;
  const stop = () => {
    ended = true;
    clearTimeout(timer);
  };
  const wait = () => {
    if (ended) return;
    timer = setTimeout(() => {
      ended = true;
      reject(new Error(`Kafka sent no messages of topic ${topic} for ${timeoutMs} ms`));
    }, timeoutMs);
  };
  promise.catch(() => undefined); // not awaited if the reading ends first
  wait();
  return {
    over: promise,
    stop,
    ended: () => ended,
    pauseFor: async (work) => {
      clearTimeout(timer);
      try {
        return await work();
      } finally {
        wait();
      }
    },
  };
}

async function read(
  client: KafkaClient,
  options: ReadTopicOptions,
  readTimeout: ReadTimeout,
  log: Logger,
): Promise<void> {
  const missing = await missingRanges(client, options.topic);
  if (missing.size === 0 || readTimeout.ended()) return;
  const groupId = `read-${options.topic}-${randomBytes(6).toString('hex')}`;
  const consumer = client.consumer({
    groupId,
    sessionTimeout: SESSION_TIMEOUT_MS,
    maxWaitTimeInMs: 200,
    allowAutoTopicCreation: false,
  });
  try {
    await readMissing(consumer, missing, options, readTimeout);
  } finally {
    await leave(client, consumer, groupId, log);
  }
}

/** The offsets of a partition that are still to be read. */
interface Range {
  next: bigint;
  end: bigint;
}

async function missingRanges(client: KafkaClient, topic: string): Promise<Map<number, Range>> {
  const admin = client.admin();
  await admin.connect();
  try {
    if (!(await admin.listTopics()).includes(topic))
      throw new Error(`Topic ${topic} does not exist in Kafka`);
    const ranges = (await admin.fetchTopicOffsets(topic)).map(
      ({ partition, low, high }) => [partition, { next: BigInt(low), end: BigInt(high) }] as const,
    );
    return new Map(ranges.filter(([, { next, end }]) => next < end));
  } finally {
    await admin.disconnect();
  }
}

async function readMissing(
  consumer: ClientConsumer,
  missing: Map<number, Range>,
  options: ReadTopicOptions,
  readTimeout: ReadTimeout,
): Promise<void> {
  const { promise: whole, resolve, reject } = Promise.withResolvers<undefined>();
  whole.catch(() => undefined); // `connect` may fail before this is awaited
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    if (!payload.restart) reject(payload.error);
  });
  await consumer.connect();
  await consumer.subscribe({ topic: options.topic, fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachBatch: async (payload) => {
      if (readTimeout.ended()) return;
      try {
        await whileBeating(payload, () => readTimeout.pauseFor(() => take(payload, missing, options)));
        if (missing.size === 0) resolve(undefined);
      } catch (error) {
        reject(error); // kafkajs would deliver the batch again and again
      }
    },
  });
  await whole;
}

/** Delivers only messages that were not delivered before: the group commits nothing, so it starts over after a rejoin. */
async function take(
  payload: EachBatchPayload,
  missing: Map<number, Range>,
  { onBatch }: ReadTopicOptions,
): Promise<void> {
  const { topic, partition, messages } = toBatch(payload);
  const range = missing.get(partition);
  if (!range) return;
  const fresh = messages.filter(({ offset }) => offset >= range.next && offset < range.end);
  if (fresh.length > 0) await onBatch({ topic, partition, messages: fresh });
  range.next = BigInt(payload.batch.lastOffset()) + 1n;
  if (range.next >= range.end) missing.delete(partition);
}

/** Never rejects: if the group cannot be deleted, the broker expires it later. */
async function leave(
  client: KafkaClient,
  consumer: ClientConsumer,
  groupId: string,
  log: Logger,
): Promise<void> {
  const leaving = consumer.disconnect().then(() => deleteGroup(client, groupId));
  await withTimeout(leaving, LEAVE_TIMEOUT_MS, 'The reader could not leave its group in time').catch(
    (error: unknown) =>
      log.debug({ err: error, groupId }, 'Kafka: the group of a topic reader could not be deleted'),
  );
}
