import { outcome } from '../../../shared/contracts/outcome.ts';
import { type InboundMessage } from '../../../shared/kafka/port.ts';
import { rolloutJobOf } from '../../../shared/rollout/rollout-job.ts';
import { needing, type Stores } from '../../stores.ts';
import { type SeenJob } from './replay-decision.ts';

/** How long Kafka may send nothing, in milliseconds. */
const PATIENCE_MS = 15_000;

/** The jobs of these steps that Kafka still has, each once. */
export async function readJobs(
  { kafka, topics, places }: Stores,
  steps: ReadonlySet<number>,
): Promise<SeenJob[]> {
  const seen = new Set<string>();
  const jobs: SeenJob[] = [];
  const take = ({ value, timestamp }: InboundMessage) => {
    // What cannot be read was never counted either: it is a dead letter.
    const read = outcome.safeParse(parseJson(value));
    const job = read.success ? rolloutJobOf(read.data) : undefined;
    if (!read.success || !job || !steps.has(job.step) || seen.has(read.data.id)) return;
    seen.add(read.data.id);
    jobs.push({ ...job, at: read.data.at, seenAt: timestamp });
  };
  const reading = kafka.readTopic({
    topic: topics.events,
    patienceMs: PATIENCE_MS,
    onBatch: ({ messages }) => {
      for (const message of messages) take(message);
      return Promise.resolve();
    },
  });
  await needing(places.kafka, reading);
  return jobs;
}

function parseJson(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return undefined;
  }
}
