import { type Consumer as ClientConsumer, type EachBatchPayload, type Kafka as KafkaClient } from 'kafkajs';
import { setTimeout as delay } from 'node:timers/promises';
import { type Logger } from '../log/logger.ts';
import { workInProgress } from '../telemetry/work-in-progress.ts';
import { backoffMs, retrying } from '../util/retrying.ts';
import { withTimeout } from '../util/with-timeout.ts';
import { deleteGroup } from './kafkajs-groups.ts';
import { createPlacements } from './kafkajs-placements.ts';
import { type Batch, type Consumer, type ConsumerOptions, type InboundMessage } from './port.ts';

export const SESSION_TIMEOUT_MS = 6_000;
const HEARTBEAT_MS = 1_500;
/** How long the broker holds an empty fetch, and thus the longest that `close` waits for an idle consumer. */
const LONG_POLL_MS = 500;

/** Time limit for the removal of a temporary group. */
const FORGET_TIMEOUT_MS = 2_000;

/** How long a batch waits for its partition's position. After that, the partition is paused until it has one. */
const POSITION_MS = 1_000;

/**
 * A member of a consumer group: joining -> positioning (each assignment, each partition) -> consuming -> closed.
 *
 * A batch that was fetched before its partition's position was set is stale afterwards. It is dropped and fetched again from the
 * new position.
 */
export function createConsumer(client: KafkaClient, options: ConsumerOptions, log: Logger): Consumer {
  const consumer = client.consumer({
    groupId: options.groupId,
    sessionTimeout: SESSION_TIMEOUT_MS,
    rebalanceTimeout: 10_000,
    heartbeatInterval: HEARTBEAT_MS,
    maxWaitTimeInMs: LONG_POLL_MS,
    ...(options.bytesAtOnce === undefined ? {} : { maxBytesPerPartition: options.bytesAtOnce }),
    allowAutoTopicCreation: false,
    // Never stop retrying after coordinator errors of a cold broker or broker restarts: the process is useless without its consumer.
    retry: {
      initialRetryTime: 100,
      maxRetryTime: 2_000,
      retries: 20,
      restartOnFailure: () => Promise.resolve(true),
    },
  });
  const stopping = new AbortController();
  const placements = createPlacements({ client, consumer, options, log });
  let joined = false;
  /** Crashes since the last join. */
  let crashes = 0;
  let reviving: Promise<void> = Promise.resolve();

  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    joined = true;
    crashes = 0;
    placements.assign(payload.memberAssignment[options.topic] ?? []);
  });
  const left = () => (joined = false);
  consumer.on(consumer.events.REBALANCING, left);
  consumer.on(consumer.events.STOP, left);
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    left();
    if (!payload.restart) reviving = revive();
  });

  return {
    start: () => retrying(() => run(consumer), { attempts: 10, baseMs: 200, maxMs: 2_000 }),
    joined: () => joined,
    reposition: () => placements.repeat(),
    close: async () => {
      stopping.abort();
      placements.close();
      await consumer.disconnect();
      await reviving;
      if (options.temporary) await forget();
    },
  };

  /** If the removal fails, the broker expires the group later. */
  async function forget(): Promise<void> {
    await withTimeout(deleteGroup(client, options.groupId), FORGET_TIMEOUT_MS, 'Kafka did not answer').catch(
      (error: unknown) => log.debug({ err: error }, 'Kafka: a temporary group could not be deleted'),
    );
  }

  /** Restarts the consumer after errors that kafkajs takes for permanent, such as a cold broker without a group coordinator. */
  async function revive(): Promise<void> {
    crashes += 1;
    const backoff = { baseMs: 200, maxMs: 2_000, signal: stopping.signal };
    try {
      await delay(backoffMs(crashes, backoff), undefined, { signal: stopping.signal });
      await retrying(() => run(consumer), { attempts: Infinity, ...backoff });
      if (stopping.signal.aborted) await consumer.disconnect(); // closed during the restart
    } catch (error) {
      if (!stopping.signal.aborted)
        log.error({ err: error }, 'Kafka: a crashed consumer could not be restarted');
    }
  }

  async function run(member: ClientConsumer): Promise<void> {
    stopping.signal.throwIfAborted();
    await member.connect();
    await member.subscribe({ topic: options.topic, fromBeginning: true });
    await member.run({
      ...(options.temporary ? { autoCommit: false } : { autoCommitInterval: 1_000 }),
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: options.partitionsAtOnce ?? 1,
      eachBatch: async (payload) => {
        await whileBeating(payload, () => handle(payload));
      },
    });
  }

  async function handle(payload: EachBatchPayload): Promise<void> {
    const { partition } = payload.batch;
    const placement = placements.of(partition);
    if (placement && !(await placement.placedWithin(POSITION_MS))) {
      // Waiting longer would block the broker's other partitions and could cost the group membership.
      const resume = payload.pause();
      // The position was set just now: its `resume` ran before our `pause`, so resume here.
      if (placements.of(partition)?.isPlaced() ?? true) resume();
      return;
    }
    if (!payload.isRunning() || payload.isStale()) return;
    await workInProgress.during(`topic ${options.topic}`, () =>
      options.onBatch(toBatch(payload), stopping.signal),
    );
    // If the placement has changed meanwhile, the new one decides where to continue.
    const same = placements.of(partition) === placement;
    if (same && !payload.isStale()) payload.resolveOffset(payload.batch.lastOffset());
    await payload.commitOffsetsIfNecessary();
  }
}

/** Sends heartbeats during a batch, which kafkajs does not. Without them, a batch longer than the session loses the membership. */
export async function whileBeating(payload: EachBatchPayload, work: () => Promise<void>): Promise<void> {
  // After a failed heartbeat the consumer rejoins; the fetch loop notices that.
  const beat = setInterval(() => void payload.heartbeat().catch(() => clearInterval(beat)), HEARTBEAT_MS);
  try {
    await work();
  } finally {
    clearInterval(beat);
  }
}

export function toBatch({ batch }: EachBatchPayload): Batch {
  const messages: InboundMessage[] = batch.messages.map((message) => ({
    topic: batch.topic,
    partition: batch.partition,
    offset: BigInt(message.offset),
    timestamp: Number(message.timestamp),
    key: message.key?.toString('utf8'),
    value: message.value?.toString('utf8'),
    headers: textHeaders(message.headers ?? {}),
  }));
  return { topic: batch.topic, partition: batch.partition, messages };
}

function textHeaders(
  headers: NonNullable<EachBatchPayload['batch']['messages'][number]['headers']>,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, [value].flat().join(',')]],
    ),
  );
}
