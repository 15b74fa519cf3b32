import type { BenchSystem } from '../bench-system.ts';
import { openBullHop } from '../hops/bullmq.ts';
import { openKafkaHop } from '../hops/kafka.ts';
import { timeHop } from '../hops/paced.ts';
import { openAppendHop, openPubSubHop } from '../hops/redis.ts';
import { type Percentiles, percentilesOf } from '../measure/percentiles.ts';
import type { BenchPlan } from '../plan.ts';

export interface HopFigures {
  kafka: Percentiles;
  bullmq: Percentiles;
  redis: Percentiles;
  pubsub: Percentiles;
}

/** Measures each hop of a job separately, without Turnout except for its Kafka port. */
export async function measureHops(
  { brokers, redisUrl, prefix }: Pick<BenchSystem, 'brokers' | 'redisUrl' | 'prefix'>,
  { hops: pace }: BenchPlan,
): Promise<HopFigures> {
  const redis = { redisUrl, prefix };
  return {
    kafka: percentilesOf(await timeHop((arrived) => openKafkaHop({ brokers, prefix }, arrived), pace)),
    bullmq: percentilesOf(await timeHop((arrived) => openBullHop(redis, arrived), pace)),
    redis: percentilesOf(await timeHop((arrived) => openAppendHop(redis, arrived), pace)),
    pubsub: percentilesOf(await timeHop((arrived) => openPubSubHop(redis, arrived), pace)),
  };
}
