import { createAnswerStorage } from '../../shared/content/files/answer-storage.ts';
import { openPolicy } from '../../shared/policy/access/policy.ts';
import { mayAsk } from '../../shared/policy/access/may-ask.ts';
import { type AssistantRegistry, openAssistants } from '../../shared/content/assistants/registry.ts';
import { createSelector, type Selector } from './assistants/select-assistant.ts';
import { createBlobStore } from '../../shared/platform/blobs/create-blob-store.ts';
import { openCache } from '../../shared/content/cache/open-cache.ts';
import { type Config } from '../../shared/platform/config/schema.ts';
import { type Backend } from '../../shared/contracts/decision.ts';
import { type JobMessage } from '../../shared/contracts/job-message.ts';
import { openControl } from '../../shared/rollout/control/open-control.ts';
import { decide } from '../../shared/contracts/flags/decide.ts';
import { type Flags } from '../../shared/platform/config/flags.ts';
import { usesDetails } from './uses-details.ts';
import { usesParallel } from './uses-parallel.ts';
import { createOpenJobLimiter } from '../../shared/jobs/limiter/open-job-limiter.ts';
import { createMemoryWatch, roomIn } from '../../shared/jobs/limiter/memory.ts';
import { startJobMaintenance } from '../../shared/jobs/maintenance/job-maintenance.ts';
import { showWaitingHooks } from '../../shared/jobs/joblog/completion-hooks.ts';
import { createJobLog } from '../../shared/jobs/joblog/job-log.ts';
import { createDeadLetters } from '../../shared/jobs/dead-letters.ts';
import { createKafka } from '../../shared/platform/kafka/kafkajs.ts';
import { topicNames, topicSpecs } from '../../shared/platform/kafka/topics.ts';
import { createReleasers } from '../../shared/platform/lifecycle/releasers.ts';
import { type Service, type ServiceDeps } from '../../shared/platform/lifecycle/run-service.ts';
import { createHousekeeping } from './housekeeping.ts';
import { closeRedis, connectRedisWaiting } from '../../shared/platform/redis/connect.ts';
import { jobKeys, fileKeys } from '../../shared/platform/redis/keys.ts';
import { onReplaced } from '../../shared/platform/redis/on-replaced.ts';
import { createSharedClock, showClockSkew } from '../../shared/platform/redis/shared-clock.ts';
import { createSteadiness } from '../../shared/platform/redis/steadiness.ts';
import { openScheduler } from '../../shared/jobs/scheduling/open-scheduler.ts';
import { createProbes, createProbeServer } from '../../shared/platform/telemetry/probes.ts';
import { createProviderClient, legacyAddress } from '../../shared/content/upstream/provider-client.ts';
import { type Logger } from '../../shared/platform/log/logger.ts';
import { createAskForAssistant } from './ask-for-assistant.ts';
import { createFlagMetrics } from './flag-metrics.ts';
import { createOnBatch } from './consume.ts';
import { createAnswerCache } from './answer-cache.ts';
import { createAssistantPicker } from './pick-assistant.ts';
import { type ContextRules } from './plan-context.ts';
import { createPosition } from './position.ts';
import { createWatermarks } from './watermarks.ts';

/** Some dozens of jobs. After this many bytes of one partition the other partitions have their turn, even if one user queued thousands. */
const TURN_BYTES = 64 * 1024;

/**
 * Reads jobs from the Kafka topic `turnout.jobs`, decides their backend and dispatches them. Routers hold no state: a second router
 * takes over half the partitions.
 */
export function buildRouter({ config, log }: ServiceDeps): Service {
  const releasers = createReleasers(log);
  const topics = topicNames(config.TOPIC_PREFIX);
  const keys = jobKeys(config.REDIS_PREFIX);
  const redis = connectRedisWaiting(config.REDIS_URL, 'router', log);
  releasers.defer('redis', () => closeRedis(redis));
  const { LOG_RETENTION_MS: retentionMs } = config;
  const clock = createSharedClock({ redis, log });
  releasers.defer('clock', () => clock.close());
  const jobLog = createJobLog({ redis, keys, retentionMs, now: () => clock.now() });
  const watermarks = createWatermarks(redis, keys.watermarks(topics.jobs));
  const { REDIS_PREFIX: redisPrefix, KEEP_FINISHED_MS: keepFinishedMs } = config;
  const dispatch = openScheduler({ redis, config, jobLog, log });
  releasers.defer('dispatch', () => dispatch.close());
  const kafka = createKafka({ brokers: config.KAFKA_BROKERS, clientId: 'turnout-router', log });

  async function start() {
    const sources = config.RETRIEVAL_SOURCES.map(({ name }) => name);
    const assistants = await openAssistants({
      folder: config.ASSISTANTS_DIR,
      sources,
      build: createSelector,
      log,
    });
    releasers.defer('assistants', () => assistants.close());
    const policy = await openPolicy({ file: config.POLICY_FILE, log });
    releasers.defer('policy', () => policy.close());
    await kafka.ensureTopics(topicSpecs(topics, config.JOB_PARTITIONS, config.TOPIC_REPLICATION));
    const probes = createProbes('router', {
      draining: () => !releasers.closing(),
      kafka: () => consumer.joined(),
      position: () => position.known(),
      redis: () => redis.status === 'ready',
    });
    await clock.start();
    showClockSkew(probes.registry, clock);
    const control = await openControl({
      config,
      kafka,
      redis,
      service: 'router',
      registry: probes.registry,
      log,
    });
    releasers.defer('control', () => control.close());
    const { inForce } = control;
    const opened = openCache({
      config,
      flags: () => inForce().flags,
      jobRedis: redis,
      name: 'router',
      log,
      registry: probes.registry,
    });
    releasers.defer('cache', () => opened.close());
    const producer = await kafka.producer();
    releasers.defer('producer', () => producer.close());
    const blobs = await createBlobStore(config);
    releasers.defer('blobs', () => blobs.close());
    const openJobLimiter = createOpenJobLimiter(redis, redisPrefix, config.MAX_OPEN_JOBS);
    const steadiness = createSteadiness({ redis, redisPrefix, log });
    releasers.defer('steadiness', () => steadiness.close());
    steadiness.start();
    const maintenance = startJobMaintenance({
      redis,
      keys,
      jobLog,
      blobs,
      redisPrefix,
      keepFinishedMs,
      log,
      storage: createAnswerStorage(redis, fileKeys(redisPrefix)),
      responseRetentionMs: config.RESPONSE_RETENTION_MS,
      producer,
      topic: topics.events,
      source: 'router',
      scheduler: dispatch,
      openJobLimiter,
      steadiness,
    });
    releasers.defer('job maintenance', () => maintenance.close());
    showWaitingHooks(probes.registry, maintenance.hooks);
    const housekeeping = createHousekeeping({ connection: redis, redisPrefix, keepFinishedMs, log });
    releasers.defer('housekeeping', () => housekeeping.close());
    housekeeping.start();

    const { registry } = probes;
    const flagMetrics = createFlagMetrics({ inForce, registry, everyMs: config.FLAG_METRICS_MS, log });
    releasers.defer('flag metrics', () => flagMetrics.close());
    control.onChange(() => flagMetrics.logFlags());
    flagMetrics.start();

    const routing = {
      jobLog,
      relays: maintenance.relays,
      answers: createAnswerCache({ cache: opened.cache, retrievalTtlMs: config.CACHE_RAG_TTL_MS }),
      dispatch,
      flagMetrics,
      deadLetters: createDeadLetters(producer, topics.deadLetters, 'router'),
      decide: ({ user }: JobMessage) => decide(user, inForce()),
      isDetailed: (jobId: string) => usesDetails(inForce().flags, jobId),
      policy,
      context: contextRules(config, () => inForce().flags),
      assistants: createAssistantPicker({
        registry: assistants,
        defaultModel: config.ASSISTANT_DEFAULT_MODEL,
      }),
      askForAssistant: askForAssistant(config, assistants, log),
      retentionMs,
      log,
    };
    const memory = createMemoryWatch({
      redis,
      limitBytes: config.REDIS_MAX_BYTES,
      diskBytes: config.REDIS_MAX_DISK_BYTES,
      log,
    });
    releasers.defer('memory watch', () => memory.close());
    await memory.start();
    const position = createPosition({ watermarks, onLost: config.ON_LOST_POSITION, retentionMs, log });
    const reposition = () => consumer.reposition();
    const consumer = kafka.consumer({
      groupId: `${config.TOPIC_PREFIX}-router`,
      topic: topics.jobs,
      partitionsAtOnce: 3,
      bytesAtOnce: TURN_BYTES,
      position: (question) => position.of(question),
      onBatch: createOnBatch({ routing, watermarks, room: roomIn(memory, log), reposition, log }),
    });
    onReplaced(redis, log, () => {
      log.warn('Job Redis was replaced by another process; routing recent messages again');
      reposition();
    });

    const server = createProbeServer(probes);
    releasers.defer('http', () => server.close());
    const address = await server.listen(config.HOST, config.PORT);
    dispatch.start();
    releasers.defer('consumer', () => consumer.close());
    await consumer.start();
    return address;
  }

  return { start, close: () => releasers.close() };
}

/** Undefined when no model is configured for assistant selection, or no legacy backend to call it on. */
function askForAssistant(config: Config, registry: AssistantRegistry<Selector>, log: Logger) {
  const address = legacyAddress(config);
  const { LEGACY_ROUTER_MODEL: model, LEGACY_ROUTER_TIMEOUT_MS: timeoutMs } = config;
  if (!address || model === undefined) return undefined;
  return createAskForAssistant({ registry, client: createProviderClient(address), model, timeoutMs, log });
}

function contextRules(
  config: Config,
  flags: () => Flags,
): (job: JobMessage, backend: Backend) => ContextRules {
  const { RETRIEVAL_SOURCES: sources } = config;
  const common = {
    documentTokens: config.CONTEXT_TOKENS,
    historyTokens: config.HISTORY_TOKENS,
  };
  return ({ user, groups = [] }, backend) => ({
    ...common,
    sources: sources.filter((source) => mayAsk(source, { groups })),
    parallel: usesParallel(flags(), user, backend),
  });
}
