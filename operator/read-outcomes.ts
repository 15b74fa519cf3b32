import { outcome, type Outcome } from '../shared/contracts/outcome.ts';
import { type InboundMessage } from '../shared/platform/kafka/port.ts';
import { needing, type Stores } from './stores.ts';

/** An outcome, and when Kafka had it; milliseconds since the epoch. */
export interface SeenOutcome {
  outcome: Outcome;
  seenAt: number;
}

/** How long Kafka may send nothing, in milliseconds. */
const TIMEOUT_MS = 15_000;

/** How the jobs ended that Kafka still knows of, each once, in the order of the topic. Throws `CommandFailed`. */
export async function readOutcomes({
  kafka,
  topics,
  places,
}: Pick<Stores, 'kafka' | 'topics' | 'places'>): Promise<SeenOutcome[]> {
  const all = new Map<string, SeenOutcome>();
  const take = ({ value, timestamp }: InboundMessage) => {
    // What cannot be read was never counted either: it is a dead letter.
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
  await needing(places.kafka, reading);
  return [...all.values()];
}

function parseJson(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return undefined;
  }
}
