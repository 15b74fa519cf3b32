import { type Registry } from 'prom-client';
import { openCache } from '../../../shared/content/cache/open-cache.ts';
import { type Config } from '../../../shared/platform/config/schema.ts';
import { type ControlCommand } from '../../../shared/contracts/control.ts';
import { createAppliedEpochs } from '../../../shared/rollout/control/applied-epochs.ts';
import { type Confirmation, confirmCommand } from '../../../shared/rollout/control/confirm-command.ts';
import { controlKeys } from '../../../shared/rollout/control/control-keys.ts';
import { openControl } from '../../../shared/rollout/control/open-control.ts';
import { textsOf } from '../../../shared/platform/config/flags.ts';
import { type Kafka, type Producer } from '../../../shared/platform/kafka/port.ts';
import { topicNames } from '../../../shared/platform/kafka/topics.ts';
import { createReleasers } from '../../../shared/platform/lifecycle/releasers.ts';
import { type Logger } from '../../../shared/platform/log/logger.ts';
import { type Redis } from '../../../shared/platform/redis/connect.ts';
import { keepSafetyMetrics } from '../../../shared/rollout/judge/safety-metrics.ts';
import { type Sections } from '../ledger/ledger.ts';
import { readFigures } from '../rollout/figures.ts';
import { createWatch } from './watch.ts';
import { createLeadership } from './leadership.ts';
import { createLease } from './lease.ts';
import { openTerm, type Term } from './term.ts';

interface RolloutDeps {
  config: Config;
  kafka: Kafka;
  producer: Producer;
  /** The job Redis. */
  redis: Redis;
  ledger: Sections;
  registry: Registry;
  log: Logger;
}

export interface Rollout {
  /** Sends a command and waits for its result. */
  command: (command: ControlCommand) => Promise<Confirmation>;
  close: () => Promise<void>;
}

/** The rollout in one instance of this service: it follows the state in force, and leads while no other instance does. */
export async function openRollout(deps: RolloutDeps): Promise<Rollout> {
  const { config, kafka, producer, redis, ledger, registry, log } = deps;
  const releasers = createReleasers(log);
  const control = await openControl({ config, kafka, redis, registry, log, service: 'metrics' });
  releasers.defer('control', () => control.close());
  const opened = openCache({ config, jobRedis: redis, name: 'metrics', log });
  releasers.defer('cache', () => opened.close());
  const keys = controlKeys(config.REDIS_PREFIX);
  const topics = topicNames(config.TOPIC_PREFIX);
  const lease = createLease(redis, keys);
  const watch = createWatch({
    figures: (step, now) => readFigures(ledger, step, now),
    hasLegacy: config.LEGACY_BASE_URL !== undefined,
    keep: (safety) => keepSafetyMetrics(redis, keys.safety, safety),
    log,
  });
  const open = (term: number, signal: AbortSignal) =>
    openTerm({
      term,
      lease,
      kafka,
      producer,
      topics,
      published: control.state(),
      env: textsOf(config),
      signal,
      log,
      clearCache: (user) => opened.cache.clearUserCache(user),
    });
  const work = async (term: Term) => {
    await term.beat();
    await watch(term);
  };
  const leadership = createLeadership({ lease, open, work, log });
  releasers.defer('leadership', () => leadership.close());
  leadership.start();
  const applied = createAppliedEpochs(redis, keys.applied);
  return {
    command: (command) => confirmCommand({ kafka, producer, topic: topics.control, applied }, command),
    close: () => releasers.close(),
  };
}
