import { createAnswerStorage } from '../../shared/content/files/answer-storage.ts';
import { randomBytes } from 'node:crypto';
import { openPolicy } from '../../shared/policy/access/policy.ts';
import { createBlobStore } from '../../shared/platform/blobs/create-blob-store.ts';
import { openCache } from '../../shared/content/cache/open-cache.ts';
import { type Config } from '../../shared/platform/config/schema.ts';
import { listenForCancellations } from '../../shared/jobs/joblog/cancellation.ts';
import { createOpenJobLimiter } from '../../shared/jobs/limiter/open-job-limiter.ts';
import { startJobMaintenance } from '../../shared/jobs/maintenance/job-maintenance.ts';
import { showWaitingHooks } from '../../shared/jobs/joblog/completion-hooks.ts';
import { createJobLog } from '../../shared/jobs/joblog/job-log.ts';
import { createDeadLetters } from '../../shared/jobs/dead-letters.ts';
import { openControl } from '../../shared/rollout/control/open-control.ts';
import { decide } from '../../shared/contracts/flags/decide.ts';
import { createKafka } from '../../shared/platform/kafka/kafkajs.ts';
import { topicNames, topicSpecs } from '../../shared/platform/kafka/topics.ts';
import { planDrain } from '../../shared/platform/lifecycle/drain.ts';
import { createReleasers } from '../../shared/platform/lifecycle/releasers.ts';
import { createJobLocks } from '../../shared/jobs/queues/job-locks.ts';
import { type Service, type ServiceDeps } from '../../shared/platform/lifecycle/run-service.ts';
import { closeRedis, connectRedisWaiting } from '../../shared/platform/redis/connect.ts';
import { jobKeys, fileKeys } from '../../shared/platform/redis/keys.ts';
import { createSharedClock, showClockSkew } from '../../shared/platform/redis/shared-clock.ts';
import { createSteadiness } from '../../shared/platform/redis/steadiness.ts';
import { workerLease } from '../../shared/jobs/scheduling/fair-queue.ts';
import { openScheduler } from '../../shared/jobs/scheduling/open-scheduler.ts';
import { createProbes, createProbeServer } from '../../shared/platform/telemetry/probes.ts';
import { legacyAddress } from '../../shared/content/upstream/provider-client.ts';
import { type AnswerRules } from './call/answer-job.ts';
import { createAnswerKeeper } from './attempt/answer-keeper.ts';
import { createBreakers } from './call/breakers.ts';
import { createCallLog } from './call/call-log.ts';
import { createGivenUp } from './attempt/given-up.ts';
import { createHeldJobs } from './attempt/held-jobs.ts';
import { createJobEnder } from './attempt/job-ender.ts';
import { createModelLimits } from '../../shared/content/models/model-limits.ts';
import { fetchDeployedModels, watchModelProviders } from './call/model-providers.ts';
import { createModelBackend, type ModelBackend } from './call/model-backend.ts';
import { providerOf } from './call/provider-names.ts';
import { createPoisonJobs } from './attempt/poison-jobs.ts';
import { createPromptPreparer, createPromptThreads } from './prompt/prepare-prompt.ts';
import { closeQueueWorker, createQueueWorker } from './attempt/queue-worker.ts';
import { createBudgets } from '../../shared/policy/usage/budgets.ts';
import { type RunJobDeps } from './attempt/run-job.ts';

/** Takes jobs from the BullMQ queue `llm`, calls the model and writes the answer to the job log. */
export function buildLlmWorker({ config, log }: ServiceDeps): Service {
  const releasers = createReleasers(log);
  const keys = jobKeys(config.REDIS_PREFIX);
  const topics = topicNames(config.TOPIC_PREFIX);

  function connect(name: string) {
    const redis = connectRedisWaiting(config.REDIS_URL, name, log);
    releasers.defer(name, () => closeRedis(redis));
    return redis;
  }

  async function start() {
    const redis = connect('llm-worker');
    const clock = createSharedClock({ redis, log });
    releasers.defer('clock', () => clock.close());
    await clock.start();
    const jobLog = createJobLog({
      redis,
      keys,
      retentionMs: config.LOG_RETENTION_MS,
      now: () => clock.now(),
    });
    const kafka = createKafka({ brokers: config.KAFKA_BROKERS, clientId: 'turnout-llm-worker', log });
    await kafka.ensureTopics(topicSpecs(topics, config.JOB_PARTITIONS, config.TOPIC_REPLICATION));
    const producer = await kafka.producer();
    releasers.defer('producer', () => producer.close());
    const blobs = await createBlobStore(config);
    releasers.defer('blobs', () => blobs.close());
    const { REDIS_PREFIX: redisPrefix, KEEP_FINISHED_MS: keepFinishedMs } = config;
    const cancellations = await listenForCancellations({
      subscriber: connect('llm-cancellations'),
      channel: keys.channel(randomBytes(6).toString('hex')),
      log,
    });
    const held = createHeldJobs(cancellations);
    const scheduler = openScheduler({
      redis,
      config,
      jobLog,
      log,
      worker: {
        id: cancellations.channel,
        slots: () => (releasers.closing() ? 0 : config.LLM_CONCURRENCY),
        held: () => held.ids(),
      },
    });
    releasers.defer('scheduler', () => scheduler.close());
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
      source: 'llm-worker',
      scheduler,
      openJobLimiter,
      steadiness,
    });
    releasers.defer('job maintenance', () => maintenance.close());
    const ender = createJobEnder(maintenance.relays, () => clock.now(), log);
    const deadLetters = createDeadLetters(producer, topics.deadLetters, 'llm-worker');
    const poison = createPoisonJobs({ deadLetters, jobLog, relays: maintenance.relays, log });
    releasers.defer('poison jobs', () => poison.idle());
    const givenUp = createGivenUp({ connection: redis, redisPrefix, jobLog, poison, log });
    releasers.defer('scan for failed jobs', () => givenUp.close());
    givenUp.start();

    const probes = createProbes('llm-worker', {
      draining: () => !releasers.closing(),
      queue: () => worker.isRunning(),
      redis: () => redis.status === 'ready',
    });
    showClockSkew(probes.registry, clock);
    showWaitingHooks(probes.registry, maintenance.hooks);
    const litellm = { url: config.LITELLM_URL, key: config.LITELLM_MASTER_KEY };
    const providers = watchModelProviders({
      fetchModels: (signal) => fetchDeployedModels(litellm, signal),
      log,
    });
    releasers.defer('model providers', () => providers.close());

    const control = await openControl({
      config,
      kafka,
      redis,
      service: 'llm-worker',
      registry: probes.registry,
      log,
    });
    releasers.defer('control', () => control.close());
    const opened = openCache({
      config,
      flags: () => control.inForce().flags,
      jobRedis: redis,
      name: 'llm-worker',
      log,
      registry: probes.registry,
    });
    releasers.defer('cache', () => opened.close());
    const answers = createAnswerKeeper(opened.cache);
    releasers.defer('answer cache writes', () => answers.idle());

    const policy = await openPolicy({ file: config.POLICY_FILE, log });
    releasers.defer('policy', () => policy.close());
    const threads = createPromptThreads();
    releasers.defer('threads', () => threads.close());
    const prompts = createPromptPreparer({ blobs, pool: threads });
    releasers.defer('isolated thread', () => prompts.close());
    const deps: RunJobDeps = {
      jobLog,
      answers,
      prompts,
      backends: { litellm: litellmBackend(config), legacy: legacyBackend(config) },
      policy,
      budgets: createBudgets(redis, redisPrefix),
      backendOf: (user) => decide(user, control.inForce()).path,
      limits: createModelLimits({
        litellmUrl: config.LITELLM_URL,
        masterKey: config.LITELLM_MASTER_KEY,
        cache: opened.cache,
        log,
      }),
      breakers: createBreakers(log),
      callLog: createCallLog(log, { litellm: providers, legacy: legacyProvider(config) }),
      held,
      scheduler,
      channel: cancellations.channel,
      ender,
      poison,
      rules: answerRules(config),
      maxAttempts: config.MAX_ATTEMPTS,
      log,
    };
    const locks = createJobLocks({
      redis,
      config,
      service: 'llm-worker',
      lease: workerLease(redisPrefix, cancellations.channel),
      onLost: (jobIds) => held.lockLost(jobIds),
      log,
    });
    releasers.defer('locks', () => locks.close());
    const worker = createQueueWorker(deps, {
      connection: connect('llm-queue'),
      redisPrefix,
      concurrency: config.LLM_CONCURRENCY,
      steadiness,
      locks,
    });
    const server = createProbeServer(probes);
    releasers.defer('http', () => server.close());
    const address = await server.listen(config.HOST, config.PORT);
    const { drainMs } = planDrain(config.SHUTDOWN_TIMEOUT_MS);
    releasers.defer('worker', () => closeQueueWorker(worker, deps.held, drainMs));
    await locks.ready();
    scheduler.start();
    void worker.run().catch((error: unknown) => log.fatal({ err: error }, 'Queue worker stopped'));
    await worker.waitUntilReady();
    return address;
  }

  return { start, close: () => releasers.close() };
}

function answerRules(config: Config): AnswerRules {
  return {
    maxCallsPerModel: config.MAX_CALLS_PER_MODEL,
    unreachableGraceMs: config.UNREACHABLE_GRACE_MS,
    onLostAttempt: config.ON_LOST_ATTEMPT,
    legacyFallback: config.LEGACY_FALLBACK,
    fallbacks: config.MODEL_FALLBACKS,
    timeouts: { firstTokenMs: config.FIRST_TOKEN_TIMEOUT_MS, betweenTokensMs: config.TOKEN_TIMEOUT_MS },
  };
}

function litellmBackend(config: Config): ModelBackend {
  return createModelBackend({
    baseURL: `${config.LITELLM_URL}/v1`,
    apiKey: config.LITELLM_MASTER_KEY,
    style: 'openai',
  });
}

function legacyBackend(config: Config): ModelBackend | undefined {
  const address = legacyAddress(config);
  return address && createModelBackend(address);
}

/** The legacy provider's name in log lines; undefined without a legacy backend. */
function legacyProvider(config: Config): string | undefined {
  const address = legacyAddress(config);
  return address && providerOf({ model: '', named: address.style, apiBase: address.baseURL });
}
