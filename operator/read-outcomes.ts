import { outcome, type Outcome } from '../shared/contracts/outcome.ts';
import { type InboundMessage } from '../shared/platform/kafka/port.ts';
import { needing, type Stores } from './stores.ts';

/** An outcome, and the time of its Kafka message in milliseconds since the epoch. */
export interface SeenOutcome {
  outcome: Outcome;
  seenAt: number;
}

/** Gives up when Kafka sends nothing for this long. Milliseconds. */
const TIMEOUT_MS = 15_000;

/** Reads the outcomes that the event topic still holds: one for each job, in topic order. Throws `CommandFailed`. */
export async function readOutcomes({
  kafka,
  topics,
  addresses,
}: Pick<Stores, 'kafka' | 'topics' | 'addresses'>): Promise<SeenOutcome[]> {
  const all = new Map<string, SeenOutcome>();
  const take = ({ value, timestamp }: InboundMessage) => {
    // The metrics service did not count unreadable messages either: it published them to the dead-letter topic.
    const read = outcome.safeParse(parseJson(value));
    if (read.success && !all.has(read.data.id))
      all.set(read.data.id, { outcome: read.data, seenAt: timestamp });
  };
  const reading = kafka.readTopic({
    topic: topics.events,
    timeoutMs: TIMEOUT_MS,
    onBatch: ({ messages }) => {
      for (const message of messages) take(message);
      return Promise.resolve();
    },
  });
  await needing(addresses.kafka, reading);
  return [...all.values()];
}

function parseJson(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return undefined;
  }
}
