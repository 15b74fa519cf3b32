import { CONTROL_TYPE } from '../../shared/contracts/control.ts';
import { toHeaders } from '../../shared/contracts/cloud-event.ts';
import { newJobId } from '../../shared/platform/ids.ts';
import { JOB_TYPE, OUTCOME_TYPE } from '../../shared/contracts/job-message.ts';
import { createKafka } from '../../shared/platform/kafka/kafkajs.ts';
import { topicNames } from '../../shared/platform/kafka/topics.ts';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { testEnv } from '../harness/env.ts';
import { jobMessage } from '../integration/job-message.ts';
import type { Random } from './random.ts';
import { anything, spoilt } from './values.ts';

interface Kind {
  topic: string;
  type: string;
  whole: () => object;
}

/** Sends messages that are nearly valid, and some that are pure noise, to each topic that a service reads. */
export async function fuzzTopics(
  prefix: string,
  random: Random,
  more: (sent: number) => boolean,
): Promise<number> {
  const kafka = createKafka({
    brokers: testEnv().KAFKA_BROKERS.split(','),
    clientId: 'fuzz',
    log: silentLogger,
  });
  const topics = topicNames(prefix);
  const producer = await kafka.producer();
  const kinds: readonly [Kind, ...Kind[]] = [
    { topic: topics.jobs, type: JOB_TYPE, whole: () => jobMessage() },
    { topic: topics.events, type: OUTCOME_TYPE, whole: outcomeMessage },
    { topic: topics.control, type: CONTROL_TYPE, whole: commandMessage },
  ];
  let sent = 0;
  try {
    for (; more(sent); sent += 1) {
      const { topic, type, whole } = random.of(kinds);
      const value = random.chance(0.8) ? JSON.stringify(spoilt(whole(), random)) : noise(random);
      const headers = random.chance(0.8) ? toHeaders({ id: newJobId('', 'fuzz'), type, source: 'fuzz' }) : {};
      await producer.send({ topic, key: 'fuzz', value, headers });
    }
  } finally {
    await producer.close();
  }
  return sent;
}

function noise(random: Random): string {
  return random.of([
    '',
    '{',
    'null',
    '[]',
    '{"version":1}',
    'x'.repeat(10_000),
    JSON.stringify(anything(random)),
  ]);
}

function outcomeMessage(): object {
  const jobId = newJobId('', 'fuzz');
  return {
    version: 1,
    id: `${jobId}.end`,
    jobId,
    userHash: 'f'.repeat(16),
    model: 'm',
    status: 'completed',
    attempts: 1,
    at: Date.now(),
    ms: { total: 5 },
    usage: [],
  };
}

function commandMessage(): object {
  const id = newJobId('', 'fuzz').slice('job_'.length);
  return {
    version: 1,
    kind: 'command',
    id,
    at: Date.now(),
    actor: 'operator',
    instruction: { type: 'thaw' },
  };
}
