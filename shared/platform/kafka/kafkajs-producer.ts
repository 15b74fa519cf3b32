import { type Kafka as KafkaClient, Partitioners, type Producer as ClientProducer } from 'kafkajs';
import { type Logger } from '../log/logger.ts';
import { periodically } from '../util/periodically.ts';
import { retrying } from '../util/retrying.ts';
import { withTimeout } from '../util/with-timeout.ts';
import { judgeSendFailure } from './judge-send-failure.ts';
import { createPulse } from './kafkajs-pulse.ts';
import { type KafkaProducer, type OutboundMessage } from './port.ts';
import { createSendQueue, DEFAULT_TIMEOUT_MS } from './send-queue.ts';

const BROKER_TIMEOUT_MS = 5_000;
/** Time limit for a new connection and its producer id. A frozen broker accepts connections but never answers. */
const CONNECT_TIMEOUT_MS = 8_000;
const WATCH_MS = 1_000;
/** After this time without an acknowledgement, the producer checks whether Kafka answers. */
const QUIET_MS = 3_000;
/** Firewalls and load balancers drop connections that are silent for some minutes. */
const STALE_MS = 60_000;

interface ProducerOptions {
  log: Logger;
  /** The largest batch of a topic, in bytes; undefined if unknown. */
  maxBatchBytes: (topic: string) => number | undefined;
}

/**
 * Idempotent producer with acks=all and one request in flight (with more, kafkajs loses order and idempotence). `send-queue.ts`
 * owns the waiting messages; this module owns the connection:
 *
 *   connected -> broken (a request failed, or Kafka does not answer while idle) -> connecting -> connected | broken
 *
 * A broken kafkajs producer is replaced. After a failed request its sequence numbers may differ from the broker's, and the broker
 * could take the next batch for a duplicate of another one. Only a new producer id repairs that. A message may then be written
 * twice, which all readers tolerate. The replacement does not wait for a message to send: a process that is not ready gets no
 * messages, and must become ready again without one.
 */
export async function createProducer(client: KafkaClient, options: ProducerOptions): Promise<KafkaProducer> {
  const { log, maxBatchBytes } = options;
  let current = newClientProducer(client);
  /** The producer must be replaced before the next send. */
  let isBroken = false;
  /** Result of the last request, or of the last check while idle. */
  let isAnswering = true;
  let acknowledgedAt = Date.now();
  let connecting: Promise<void> | undefined;
  const topics = new Set<string>();
  const pulse = createPulse(client, log);
  // Retried, because a cold broker has no coordinator for producer ids yet.
  await retrying(() => current.connect(), { attempts: 10, baseMs: 200, maxMs: 2_000 });

  const queue = createSendQueue({
    prepare: () => (isBroken ? reconnect() : Promise.resolve()),
    flush,
    judge: judgeSendFailure,
    maxBatchBytes,
  });

  async function flush(messages: readonly OutboundMessage[]): Promise<void> {
    const [first] = messages;
    if (!first) return;
    const { topic } = first;
    const records = messages.map(({ key, value, headers }) => ({ key, value, headers }));
    try {
      await current.sendBatch({
        acks: -1,
        timeout: BROKER_TIMEOUT_MS,
        topicMessages: [{ topic, messages: records }],
      });
    } catch (error) {
      const isAway = judgeSendFailure(error) === 'away';
      // A single rejected message leaves the sequence numbers intact. Of a group, other partitions may have been written.
      isBroken = isAway || messages.length > 1;
      isAnswering &&= !isAway;
      throw error;
    }
    topics.add(topic);
    acknowledged();
  }

  function acknowledged(): void {
    acknowledgedAt = Date.now();
    isAnswering = true;
  }

  /** Concurrent callers share one reconnect. */
  function reconnect(): Promise<void> {
    connecting ??= replace().finally(() => (connecting = undefined));
    return connecting;
  }

  async function replace(): Promise<void> {
    isBroken = true;
    discard(current);
    current = newClientProducer(client);
    try {
      await withTimeout(current.connect(), CONNECT_TIMEOUT_MS, 'Kafka did not answer');
    } catch (error) {
      log.debug({ err: error }, 'Kafka: a new producer could not connect');
      throw error;
    }
    if (!isAnswering) log.info('Kafka is reachable again');
    isBroken = false;
    acknowledged();
  }

  function discard(producer: ClientProducer): void {
    producer
      .disconnect()
      .catch((error: unknown) =>
        log.debug({ err: error }, 'Kafka: a broken producer could not be disconnected'),
      );
  }

  async function watch(): Promise<void> {
    if (isBroken) return reconnect();
    if (Date.now() - acknowledgedAt < QUIET_MS) return;
    try {
      await pulse.check([...topics]);
      // Kafka was unreachable in between, so the producer's connections may be half-open.
      if (!isAnswering && !queue.inFlight()) await reconnect();
      acknowledged();
    } catch (error) {
      if (isAnswering) log.warn({ err: error }, 'Kafka is unreachable');
      isAnswering = false;
    }
  }

  const watching = periodically({
    everyMs: WATCH_MS,
    run: watch,
    onError: (error) => log.debug({ err: error }, 'Kafka: still unreachable'),
  });
  watching.start();

  return {
    send: (message, sending) => queue.send(message, sending),
    connected: () => isAnswering,
    refresh: async () => {
      if (isBroken || (Date.now() - acknowledgedAt > STALE_MS && !queue.inFlight())) await reconnect();
    },
    close: async () => {
      await queue.close(DEFAULT_TIMEOUT_MS);
      await watching.close();
      await Promise.all([pulse.close(), current.disconnect()]);
    },
  };
}

function newClientProducer(client: KafkaClient): ClientProducer {
  return client.producer({
    idempotent: true,
    maxInFlightRequests: 1,
    allowAutoTopicCreation: false,
    createPartitioner: Partitioners.DefaultPartitioner,
    // Retries inside kafkajs keep the producer id, so a request is not written twice if only its response was lost.
    retry: { initialRetryTime: 50, maxRetryTime: 1_000, retries: 4 },
  });
}
