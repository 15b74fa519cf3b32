import { readLetter, type StoredLetter } from '../../shared/jobs/dead-letters.ts';
import { needing, type Stores } from '../stores.ts';

/** Gives up when Kafka sends nothing for this long, in milliseconds. On some brokers a consumer group takes seconds to form. */
const TIMEOUT_MS = 15_000;

/**
 * Calls `onLetter` for each dead letter once, oldest first. The topic may hold one twice, under the same origin: a process that
 * crashes after it published a dead letter publishes it again. Reads up to the topic's current end. Throws `CommandFailed` when
 * Kafka is down.
 */
export async function eachLetter(
  { kafka, topics, addresses }: Stores,
  onLetter: (letter: StoredLetter) => void | Promise<void>,
): Promise<void> {
  const seen = new Set<string>();
  const reading = kafka.readTopic({
    topic: topics.deadLetters,
    timeoutMs: TIMEOUT_MS,
    onBatch: async ({ messages }) => {
      for (const letter of messages.map(readLetter)) {
        if (seen.has(letter.origin)) continue;
        seen.add(letter.origin);
        await onLetter(letter);
      }
    },
  });
  await needing(addresses.kafka, reading);
}

/** Whether a dead letter's reason contains the text. Case-insensitive. */
export function hasReason({ reason }: Pick<StoredLetter, 'reason'>, text: string | undefined): boolean {
  return text === undefined || reason.toLowerCase().includes(text.toLowerCase());
}
