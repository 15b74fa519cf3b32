import { randomBytes } from 'node:crypto';
import { readKeyFile } from '../../../shared/policy/access/key-file.ts';
import { openAuthenticator } from '../../../shared/policy/access/open-authenticator.ts';
import { openPolicy } from '../../../shared/policy/access/policy.ts';
import { openAssistants } from '../../../shared/content/assistants/registry.ts';
import { createBlobStore } from '../../../shared/platform/blobs/create-blob-store.ts';
import { createRemovals, withPlannedRemovals } from '../../../shared/platform/blobs/removals.ts';
import { type Config } from '../../../shared/platform/config/schema.ts';
import { createAnswerStorage } from '../../../shared/content/files/answer-storage.ts';
import { createExtractQueue } from '../files/extract-queue.ts';
import { createOpenJobLimiter } from '../../../shared/jobs/limiter/open-job-limiter.ts';
import { createMemoryWatch } from '../../../shared/jobs/limiter/memory.ts';
import { createFileRegistry } from '../../../shared/content/files/file-registry.ts';
import { cancelJob } from '../../../shared/jobs/joblog/cancellation.ts';
import { createJobLog } from '../../../shared/jobs/joblog/job-log.ts';
import { createKeptJobs } from '../../../shared/jobs/joblog/kept-jobs.ts';
import { type EndingDeps } from '../../../shared/jobs/joblog/ending.ts';
import { createLiveLog } from '../answers/live-log.ts';
import { keepReaderLease } from '../../../shared/jobs/joblog/reader-leases.ts';
import { createSlotRelease } from '../../../shared/jobs/maintenance/slot-release.ts';
import { userHash } from '../../../shared/platform/ids.ts';
import { type Kafka } from '../../../shared/platform/kafka/port.ts';
import { topicNames } from '../../../shared/platform/kafka/topics.ts';
import { type Releasers } from '../../../shared/platform/lifecycle/releasers.ts';
import { type Logger } from '../../../shared/platform/log/logger.ts';
import { closeRedis, connectRedis, connectRedisWaiting } from '../../../shared/platform/redis/connect.ts';
import { createBudgets } from '../../../shared/policy/usage/budgets.ts';
import { blobKeys, fileKeys, jobKeys } from '../../../shared/platform/redis/keys.ts';
import { createSharedClock } from '../../../shared/platform/redis/shared-clock.ts';
import { openScheduler } from '../../../shared/jobs/scheduling/open-scheduler.ts';
import { createAdmissionService } from '../admission/admission-service.ts';
import { type BodyWorkOf } from '../bodies/body-work.ts';
import { createAdmissionControl } from '../admission/admission-control.ts';
import { createUploadLimits } from '../files/upload-limits.ts';
import { createPrices } from '../admission/prices.ts';
import { createRateLimits } from '../admission/rate-limits.ts';
import { createModels } from '../models/models.ts';
import { createStoredJobs } from '../answers/stored-jobs.ts';
import { createWebhooks } from '../webhooks/create-webhooks.ts';
import { createThrottledAuthenticator } from '../http/throttled-authenticator.ts';

interface ApiDependenciesOptions {
  config: Config;
  kafka: Pick<Kafka, 'producer'>;
  /** Parses, validates and serialises request bodies. */
  bodies: BodyWorkOf;
  /** Closes everything opened here. */
  releasers: Releasers;
  log: Logger;
}

export type ApiDependencies = Awaited<ReturnType<typeof openApiDependencies>>;

/** Opens what the API depends on, whether requests arrive over HTTP (app.ts) or as Lambda events (lambda.ts). */
export async function openApiDependencies({ config, kafka, bodies, releasers, log }: ApiDependenciesOptions) {
  const keys = jobKeys(config.REDIS_PREFIX);
  const keysOfFile = readKeyFile(config.API_KEYS_FILE);
  const policy = await openPolicy({ file: config.POLICY_FILE, log });
  releasers.defer('policy', () => policy.close());
  const sources = config.RETRIEVAL_SOURCES.map(({ name }) => name);
  const assistants = await openAssistants({
    folder: config.ASSISTANTS_DIR,
    sources,
    build: (all) => all,
    log,
  });
  releasers.defer('assistants', () => assistants.close());

  const redis = connectRedis(config.REDIS_URL, 'ingress', log);
  releasers.defer('redis', () => closeRedis(redis));
  const clock = createSharedClock({ redis, log });
  releasers.defer('clock', () => clock.close());
  await clock.start();
  const jobLog = createJobLog({ redis, keys, retentionMs: config.LOG_RETENTION_MS, now: () => clock.now() });
  const authenticator = createThrottledAuthenticator({
    authenticator: openAuthenticator({ config, redis, fileKeys: keysOfFile, log }),
    log,
  });
  const openJobLimiter = createOpenJobLimiter(redis, config.REDIS_PREFIX, config.MAX_OPEN_JOBS);
  const scheduler = openScheduler({ redis, config, jobLog, log });
  releasers.defer('scheduler', () => scheduler.close());
  const freeSlot = createSlotRelease({ scheduler, openJobLimiter });
  const ending: EndingDeps = {
    jobLog,
    relays: {
      begin: ({ outcome }) => {
        freeSlot(outcome).catch((error: unknown) => {
          log.warn(
            { err: error, jobId: outcome.jobId },
            'Could not free the slot of a cancelled job; the sweep will free it',
          );
        });
      },
    },
    log,
  };
  const subscriber = connectRedisWaiting(config.REDIS_URL, 'ingress-live', log);
  const live = await createLiveLog({
    log: jobLog,
    subscriber,
    channel: keys.channel(randomBytes(6).toString('hex')),
    logger: log,
    onAbandoned: (jobId) => {
      cancelJob(ending, jobId, 'disconnect').catch((error: unknown) => {
        log.warn({ err: error, jobId }, 'Could not cancel an abandoned job; the sweep will end it');
      });
    },
  });
  releasers.defer('live log', () => live.close());
  const lease = keepReaderLease(redis, keys, live.channel, log);
  releasers.defer('reader lease', () => lease.end());

  const producer = await kafka.producer();
  releasers.defer('producer', () => producer.close());

  const opened = await createBlobStore(config);
  releasers.defer('blobs', () => opened.close());
  const blobs = withPlannedRemovals(opened, createRemovals(redis, blobKeys(config.REDIS_PREFIX)));
  const keysOfFiles = fileKeys(config.REDIS_PREFIX);
  const storage = createAnswerStorage(redis, keysOfFiles);
  const files = createFileRegistry({
    redis,
    keys: keysOfFiles,
    maxFilesPerUser: config.MAX_FILES_PER_USER,
    graceMs: config.FILE_GRACE_MS,
  });
  const queue = createExtractQueue({ connection: redis, redisPrefix: config.REDIS_PREFIX, log });
  releasers.defer('extract queue', () => queue.close());
  const webhooks = createWebhooks({ config, redis, keys, log });
  releasers.defer('webhooks', () => webhooks.close());

  const models = createModels({
    litellmUrl: config.LITELLM_URL,
    masterKey: config.LITELLM_MASTER_KEY,
    log,
  });
  const retentionMs = config.RESPONSE_RETENTION_MS;
  const kept = createKeptJobs({ blobs, jobLog, storage, retentionMs });
  const stored = createStoredJobs({ jobLog, blobs, kept, retentionMs });
  const memory = createMemoryWatch({
    redis,
    limitBytes: config.REDIS_MAX_BYTES,
    diskBytes: config.REDIS_MAX_DISK_BYTES,
    log,
  });
  releasers.defer('memory watch', () => memory.close());
  await memory.start();
  const rates = createRateLimits(redis, config.REDIS_PREFIX);
  const budgets = createBudgets(redis, config.REDIS_PREFIX);
  const uploadLimits = createUploadLimits({
    policy,
    rates,
    budgets,
    files,
    userHash: (user) => userHash(config.TURNOUT_SECRET, user),
    storedBytes: config.MAX_STORED_BYTES_PER_USER,
  });
  const admissionControl = createAdmissionControl({
    policy,
    rates,
    openJobLimiter,
    budgets,
    storage,
    prices: createPrices({ litellmUrl: config.LITELLM_URL, masterKey: config.LITELLM_MASTER_KEY, log }),
    candidates: {
      assistants: () => assistants.current(),
      sources: config.RETRIEVAL_SOURCES,
      fallbacks: config.MODEL_FALLBACKS,
      defaultModel: config.ASSISTANT_DEFAULT_MODEL,
    },
    documentTokens: config.CONTEXT_TOKENS,
    historyTokens: config.HISTORY_TOKENS,
    memory: () => memory.share(),
    interactiveMaxWaitMs: config.INTERACTIVE_MAX_WAIT_MS,
    openBytes: config.MAX_OPEN_BYTES_PER_USER,
    storedBytes: config.MAX_STORED_BYTES_PER_USER,
    storedAnswers: config.MAX_STORED_ANSWERS_PER_USER,
    now: () => clock.now(),
    log,
  });
  const admissionService = createAdmissionService({
    jobLog,
    blobs,
    files,
    producer,
    topic: topicNames(config.TOPIC_PREFIX).jobs,
    secret: config.TURNOUT_SECRET,
    reader: live.channel,
    sampling: config.CACHE_SAMPLING,
    admissionControl,
    kept,
    bodies,
    log,
  });
  return {
    authenticator,
    policy,
    assistants: () => assistants.current(),
    redis,
    clock,
    /** All connections to the job Redis. */
    connections: [redis, subscriber],
    jobLog,
    ending,
    live,
    lease,
    producer,
    blobs,
    bodies,
    files,
    uploadLimits,
    queue,
    webhooks,
    models,
    stored,
    admissionService,
  };
}
