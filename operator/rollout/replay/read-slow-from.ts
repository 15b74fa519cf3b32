import { type RolloutJob } from '../../../shared/rollout/judge/rollout-job.ts';
import { metricsKey, sectionField, sectionName } from '../../../shared/contracts/section-names.ts';
import { needing, type Stores } from '../../stores.ts';

/** The metrics service's threshold for each job's slot: a first token that takes more milliseconds is slow. */
export async function readSlowFrom(
  { redis, places }: Stores,
  redisPrefix: string,
  jobs: readonly RolloutJob[],
): Promise<(job: RolloutJob) => number | undefined> {
  const names = [...new Set(jobs.map(sectionOf))];
  const read = async (name: string) =>
    [name, await needing(places.redis, redis.hgetall(metricsKey(redisPrefix, name)))] as const;
  const sections = new Map(await Promise.all(names.map(read)));
  return (job) => {
    const text = sections.get(sectionOf(job))?.[sectionField.slowFrom(job.slot)];
    return text === undefined ? undefined : Number(text);
  };
}

function sectionOf({ step, day }: RolloutJob): string {
  return sectionName.segment(step, day);
}
