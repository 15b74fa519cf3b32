import { type Kind } from './plan.ts';
import { failingHook, loseRegistry } from './strikes/blobs.ts';
import { skewClock, SKEW_MS } from './strikes/clocks.ts';
import { fillBlobDisk, fillDiskOf } from './strikes/disks.ts';
import { idleKafkaOutage, recreateTopics, redeliver, sendPoison } from './strikes/kafka.ts';
import { flood, sendLargeRequests } from './strikes/load.ts';
import {
  badNetwork,
  cut,
  freeze,
  freezeWorker,
  killAndRestart,
  killBothWorkers,
  outage,
} from './strikes/processes.ts';
import { failOver, flushScripts, loseQueuedJobs } from './strikes/redis.ts';
import { oneOfTwo, type Strike } from './strikes/strike.ts';
import { mixVersions } from './strikes/versions.ts';

export const strikes: Readonly<Record<Kind, Strike>> = {
  'kill ingress': (ground, random) => killAndRestart(ground, 'ingress', oneOfTwo('ingress', random)),
  'kill router': (ground, random) => killAndRestart(ground, 'router', oneOfTwo('router', random)),
  'kill context-worker': (ground) => killAndRestart(ground, 'context-worker'),
  'kill llm-worker': (ground, random) => killAndRestart(ground, 'llm-worker', oneOfTwo('llm-worker', random)),
  'kill llm-worker twice': killBothWorkers,
  'freeze llm-worker': freezeWorker,
  'kill metrics': (ground) => killAndRestart(ground, 'metrics'),
  'kill cache': (ground) => killAndRestart(ground, 'cache'),
  'kill Redis': (ground) => outage(ground, 'redis'),
  'kill Kafka': (ground) => outage(ground, 'kafka'),
  'stop LiteLLM': (ground) => outage(ground, 'litellm'),
  'delay Redis': ({ redisProxy }) => badNetwork(redisProxy),
  'cut Redis': ({ redisProxy }) => cut(redisProxy),
  'delay Kafka': ({ kafkaProxy }) => badNetwork(kafkaProxy),
  'cut Kafka': ({ kafkaProxy }) => cut(kafkaProxy),
  redeliver,
  'poison messages': sendPoison,
  'flush scripts': flushScripts,
  'lose queued jobs': loseQueuedJobs,
  'freeze Redis': (ground) => freeze(ground, 'redis', 8_000),
  // Longer than Kafka's session and request timeouts.
  'freeze Kafka': (ground) => freeze(ground, 'kafka', 20_000),
  'Redis away 5 s': (ground) => outage(ground, 'redis', 5_000),
  'Redis away 15 s': (ground) => outage(ground, 'redis', 15_000),
  'Redis away 60 s': (ground) => outage(ground, 'redis', 60_000),
  'large requests': sendLargeRequests,
  'flood of large jobs': flood,
  'clock ahead': (ground, random) => skewClock(ground, random, SKEW_MS),
  'clock behind': (ground, random) => skewClock(ground, random, -SKEW_MS),
  'idle Kafka outage': idleKafkaOutage,
  'recreated topic': recreateTopics,
  'failing hook': failingHook,
  'lost registry': loseRegistry,
  'lossy failover': failOver,
  'full disk of Redis': (ground) => fillDiskOf(ground, 'redis'),
  'full disk of Kafka': (ground) => fillDiskOf(ground, 'kafka'),
  'full disk of blobs': fillBlobDisk,
  'mixed versions': mixVersions,
};
