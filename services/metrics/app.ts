import { openAuthenticator } from '../../shared/policy/access/open-authenticator.ts';
import { createAdminCheck } from '../../shared/policy/admin/admin-check.ts';
import { controlKeys } from '../../shared/rollout/control/control-keys.ts';
import { readAudit } from '../../shared/rollout/control/read-audit.ts';
import { readStatus } from '../../shared/rollout/control/read-status.ts';
import { createDeadLetters } from '../../shared/jobs/dead-letters.ts';
import { createKafka } from '../../shared/platform/kafka/kafkajs.ts';
import { type Batch, type PositionQuestion } from '../../shared/platform/kafka/port.ts';
import { topicNames, topicSpecs } from '../../shared/platform/kafka/topics.ts';
import { createReleasers } from '../../shared/platform/lifecycle/releasers.ts';
import { type Service, type ServiceDeps } from '../../shared/platform/lifecycle/run-service.ts';
import { closeRedis, connectRedis } from '../../shared/platform/redis/connect.ts';
import { createSharedClock, showClockSkew } from '../../shared/platform/redis/shared-clock.ts';
import { createProbes, createProbeServer } from '../../shared/platform/telemetry/probes.ts';
import { type Aggregator, createAggregator, LedgerRewound } from './aggregate.ts';
import { openRollout, type Rollout } from './control/open-rollout.ts';
import { controlRoutes } from './control/routes.ts';
import { createIntake, type Intake } from './intake.ts';
import { createLedger } from './ledger/ledger.ts';
import { registerRolloutGauges } from './rollout/gauges.ts';
import { createSlowFrom } from './rollout/slow-from.ts';
import { figureRoutes } from './routes.ts';

/** If Kafka does not answer within this time, the operator gets an error that it is unavailable. */
const AUDIT_TIMEOUT_MS = 5_000;

/**
 * Counts the outcomes in the Kafka topic `turnout.events` in the job Redis, and serves them at `/metrics` and `/summary`; a second
 * instance takes half the partitions. The one instance that leads also turns commands in `turnout.control` into states in
 * `turnout.control.state`, and judges the rollout by the counts.
 */
export function buildMetrics({ config, log }: ServiceDeps): Service {
  const releasers = createReleasers(log);
  const topics = topicNames(config.TOPIC_PREFIX);
  const redis = connectRedis(config.REDIS_URL, 'metrics', log);
  const ledger = createLedger(redis, config.REDIS_PREFIX);
  const kafka = createKafka({ brokers: config.KAFKA_BROKERS, clientId: 'turnout-metrics', log });
  let intake: Intake | undefined;
  let rollout: Rollout | undefined;

  const probes = createProbes('metrics', {
    draining: () => !releasers.closing(),
    redis: () => redis.status === 'ready',
    kafka: () => intake?.joined() ?? false,
  });
  const clock = createSharedClock({ redis, log });
  showClockSkew(probes.registry, clock);
  const authenticator = openAuthenticator({ config, redis, fileKeys: [], log });
  const status = () => readStatus(redis, controlKeys(config.REDIS_PREFIX));
  registerRolloutGauges(probes.registry, status);
  const server = createProbeServer(probes, {
    ...figureRoutes({ probes, ledger, log }),
    ...controlRoutes({
      status,
      audit: () => readAudit(kafka, topics.control, AUDIT_TIMEOUT_MS),
      command: (command) =>
        rollout?.command(command) ?? Promise.reject(new Error('the metrics service has not started yet')),
      admin: createAdminCheck({ adminKey: config.TURNOUT_ADMIN_KEY, authenticator }),
      log,
    }),
  });
  // Closed last, because it answers "draining" while the other resources close.
  releasers.defer('http', () => server.close());
  releasers.defer('redis', () => closeRedis(redis));
  releasers.defer('clock', () => clock.close());

  /** When the ledger was rewound, the consumer is reopened and reads the batch again, from the ledger's own position. */
  async function count(aggregator: Aggregator, batch: Batch): Promise<void> {
    try {
      await aggregator.onBatch(batch);
    } catch (error) {
      if (error instanceof LedgerRewound) {
        log.error(
          { err: error },
          'Counts went back because the job Redis lost data; reading events again from the stored position',
        );
        intake?.reopen();
      }
      throw error;
    }
  }

  async function start() {
    const address = await server.listen(config.HOST, config.PORT);
    await clock.start();
    await kafka.ensureTopics(topicSpecs(topics, config.JOB_PARTITIONS, config.TOPIC_REPLICATION));
    const producer = await kafka.producer();
    releasers.defer('producer', () => producer.close());
    const deadLetters = createDeadLetters(producer, topics.deadLetters, 'metrics');
    const slowFrom = createSlowFrom({
      read: (name) => ledger.readSection(name),
      setOnce: (...set) => ledger.setOnce(...set),
    });
    const aggregator = createAggregator({ ledger, slowFrom, deadLetters, log });
    const consumer = {
      groupId: `${config.TOPIC_PREFIX}-metrics`,
      topic: topics.events,
      partitionsAtOnce: 3,
      position: (question: PositionQuestion) => aggregator.position(question),
      onBatch: (batch: Batch) => count(aggregator, batch),
    };
    intake = createIntake(() => kafka.consumer(consumer), log);
    releasers.defer('consumer', () => intake?.close());
    await intake.start();
    const { registry } = probes;
    rollout = await openRollout({ config, kafka, producer, redis, ledger, registry, log });
    const { close } = rollout;
    releasers.defer('rollout', close);
    return address;
  }

  return { start, close: () => releasers.close() };
}
