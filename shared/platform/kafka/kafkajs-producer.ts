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
/** A new connection with its producer id. A broker that stands still accepts connections and answers nothing. */
const CONNECT_TIMEOUT_MS = 8_000;
const WATCH_MS = 1_000;
/** Where nothing was acknowledged for so long, Kafka is asked whether it is there. */
const QUIET_MS = 3_000;
/** Firewalls and load balancers forget connections that are silent for some minutes. */
const STALE_MS = 60_000;

interface ProducerOptions {
  log: Logger;
  /** The largest batch of a topic, in bytes, where it is known. */
  maxBatchBytes: (topic: string) => number | undefined;
}

/**
 * Idempotent, acks=all, one request in flight (more loses the order and the idempotence in kafkajs). `send-queue.ts` owns what
 * waits; this owns the connection:
 *
 *   connected -> broken (a request failed, or Kafka does not answer while idle) -> connecting -> connected | broken
 *
 * A broken kafkajs producer is replaced: after a failed request its sequence numbers may no longer be the broker's, so the next
 * batch could be taken for a repetition of another one. Only a new producer id repairs that. A message may then be written
 * twice, which every reader of ours tolerates. The replacement needs no message: a process that gets none, because it is
 * not ready, becomes ready again.
 */
export async function createProducer(client: KafkaClient, options: ProducerOptions): Promise<KafkaProducer> {
  const { log, maxBatchBytes } = options;
  let current = newClientProducer(client);
  /** It has to be replaced before anything is sent. */
  let isBroken = false;
  /** As of the last request, or of the last question to an idle broker. */
  let isAnswering = true;
  let acknowledgedAt = Date.now();
  let connecting: Promise<void> | undefined;
  const topics = new Set<string>();
  const pulse = createPulse(client, log);
  // A cold broker has no coordinator for producer ids yet.
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
      // A message that was refused alone leaves the sequence as it was; of a group, other partitions may have theirs.
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

  /** One at a time, whoever asks. */
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
      log.debug({ err: error }, 'Kafka: a new producer did not connect');
      throw error;
    }
    if (!isAnswering) log.info('Kafka answers again');
    isBroken = false;
    acknowledged();
  }

  function discard(producer: ClientProducer): void {
    producer
      .disconnect()
      .catch((error: unknown) => log.debug({ err: error }, 'Kafka: a broken producer did not disconnect'));
  }

  async function watch(): Promise<void> {
    if (isBroken) return reconnect();
    if (Date.now() - acknowledgedAt < QUIET_MS) return;
    try {
      await pulse.check([...topics]);
      // Kafka was away meanwhile: what is open to it may be half a connection.
      if (!isAnswering && !queue.inFlight()) await reconnect();
      acknowledged();
    } catch (error) {
      if (isAnswering) log.warn({ err: error }, 'Kafka does not answer');
      isAnswering = false;
    }
  }

  const watching = periodically({
    everyMs: WATCH_MS,
    run: watch,
    onError: (error) => log.debug({ err: error }, 'Kafka: still away'),
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
    // Retries within kafkajs keep the producer id, so a request whose answer was lost is not written twice.
    retry: { initialRetryTime: 50, maxRetryTime: 1_000, retries: 4 },
  });
}
