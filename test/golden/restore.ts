import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createKafka } from '../../shared/platform/kafka/kafkajs.ts';
import { topicNames, topicSpecs } from '../../shared/platform/kafka/topics.ts';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { testEnv } from '../harness/env.ts';
import { layoutOfServices } from '../harness/state.ts';
import { type Recorded, RECEIVER } from './capture.ts';
import { readGolden } from './read.ts';
import { fromText, loadRedis } from './recording.ts';

/** The prefix of the recording's topics and keys. */
export const PREFIX = 'golden';

/**
 * Writes what release 0.1.0 has left behind into Kafka, both Redis and the blob store of the services with this prefix, as if it had been
 * recorded now: all times are moved by the age of the recording, and its usage counts for today.
 */
export async function restoreGolden(receiverUrl: string): Promise<Recorded> {
  const golden = movedToNow(readGolden(), receiverUrl);
  const { KAFKA_BROKERS, REDIS_URL, CACHE_REDIS_URL, TURNOUT_TEST_STATE } = testEnv();
  await writeTopics(KAFKA_BROKERS, golden);
  await loadRedis(REDIS_URL, golden['job-redis']);
  await loadRedis(CACHE_REDIS_URL, golden['cache-redis']);
  const blobs = join(layoutOfServices(TURNOUT_TEST_STATE, PREFIX).data, 'blobs');
  for (const [path, text] of Object.entries(golden.blobs)) {
    mkdirSync(dirname(join(blobs, path)), { recursive: true });
    writeFileSync(join(blobs, path), fromText(text));
  }
  return golden;
}

const HOUR_MS = 3_600_000;
/** Times in a recording are at most this long after it: deadlines, and the ends of retention. */
const LONGEST_MS = 40 * 24 * HOUR_MS;

function movedToNow(golden: Recorded, receiverUrl: string): Recorded {
  const { at } = golden.facts;
  const age = Date.now() - at;
  const isTime = (number: number) => number > at - HOUR_MS && number < at + LONGEST_MS;
  const moved = JSON.stringify(golden)
    .replaceAll(/\b\d{13}\b/g, (digits) => (isTime(Number(digits)) ? String(Number(digits) + age) : digits))
    .replaceAll(/(?<=:usage:)\d{4}-\d{2}-\d{2}(?=:)/g, new Date().toISOString().slice(0, 10))
    .replaceAll(/(?<=:usage:)\d{4}-\d{2}(?=:)/g, new Date().toISOString().slice(0, 7))
    .replaceAll(RECEIVER, receiverUrl);
  return JSON.parse(moved) as Recorded;
}

/** Each topic has one partition, so that the messages get the offsets that the stored positions refer to. */
async function writeTopics(brokers: string, golden: Recorded): Promise<void> {
  const kafka = createKafka({ brokers: brokers.split(','), clientId: 'golden', log: silentLogger });
  const topics = topicNames(PREFIX);
  await kafka.ensureTopics(topicSpecs(topics, 1));
  const producer = await kafka.producer();
  const all = [
    [topics.jobs, golden.jobs],
    [topics.deadLetters, golden['dead-letters']],
    [topics.events, golden.events],
    [topics.control, golden.control],
    [topics.controlState, golden['control-state']],
  ] as const;
  for (const [topic, messages] of all)
    for (const { key, headers, value } of messages)
      await producer.send({ topic, key, headers, value: fromText(value).toString('utf8') });
  await producer.close();
}
