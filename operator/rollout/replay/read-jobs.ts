import { rolloutJobOf } from '../../../shared/rollout/judge/rollout-job.ts';
import { readOutcomes } from '../../read-outcomes.ts';
import { type Stores } from '../../stores.ts';
import { type SeenJob } from './replay-decision.ts';

/** The jobs of these steps whose outcomes are still in Kafka, each once. */
export async function readJobs(stores: Stores, steps: ReadonlySet<number>): Promise<SeenJob[]> {
  const seen = await readOutcomes(stores);
  return seen.flatMap(({ outcome, seenAt }) => {
    const job = rolloutJobOf(outcome);
    return job && steps.has(job.step) ? [{ ...job, at: outcome.at, seenAt }] : [];
  });
}
