import { readLetter, type StoredLetter } from '../../shared/jobs/dead-letters.ts';
import { needing, type Stores } from '../stores.ts';

/** How long Kafka may send nothing, in milliseconds. A group takes some seconds to form on a broker that is not ours. */
const TIMEOUT_MS = 15_000;

/**
 * Hands over each dead letter once, oldest first: a process that died after it had buried one buries it again, under the
 * same origin. Reads to the topic's end as it is now. Throws `CommandFailed` when Kafka is away.
 */
export async function eachLetter(
  { kafka, topics, places }: Stores,
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
  await needing(places.kafka, reading);
}

/** Whether a letter's reason contains the text; upper and lower case are the same. */
export function hasReason({ reason }: Pick<StoredLetter, 'reason'>, text: string | undefined): boolean {
  return text === undefined || reason.toLowerCase().includes(text.toLowerCase());
}
