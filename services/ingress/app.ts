import { randomBytes } from 'node:crypto';
import { openAssistants } from '../../shared/assistants/registry.ts';
import { openControl } from '../../shared/control/open-control.ts';
import { createBlobStore } from '../../shared/blobs/create-blob-store.ts';
import { decide } from '../../shared/flags/decide.ts';
import { cancelJob } from '../../shared/joblog/cancellation.ts';
import { createJobLog } from '../../shared/joblog/job-log.ts';
import { createLiveLog } from '../../shared/joblog/live-log.ts';
import { keepReaderLease } from '../../shared/joblog/reader-leases.ts';
import { createKafka } from '../../shared/kafka/kafkajs.ts';
import { topicNames, topicSpecs } from '../../shared/kafka/topics.ts';
import { createReleasers } from '../../shared/lifecycle/releasers.ts';
import { type Service, type ServiceDeps } from '../../shared/lifecycle/run-service.ts';
import { closeRedis, connectRedis, connectRedisPatiently } from '../../shared/redis/connect.ts';
import { jobKeys } from '../../shared/redis/keys.ts';
import { createProbes } from '../../shared/telemetry/probes.ts';
import { createAdmissionDesk } from './admission.ts';
import { loadApiKeys } from './api-keys.ts';
import { apiRoutes } from './api.ts';
import { documentApi } from './api-docs.ts';
import { createBlobSweep } from './blob-sweep.ts';
import { authenticated } from './authenticated.ts';
import { createDrain } from './drain.ts';
import { installErrorHandling } from './errors.ts';
import { startFileParts } from './files/file-parts.ts';
import { createHttp } from './http.ts';
import { createModels } from './models.ts';
import { operationsRoutes } from './operations-routes.ts';
import { createStoredJobs } from './stored-jobs.ts';
import { createWebhooks } from './webhooks/create-webhooks.ts';

/** OpenAI's API over HTTP -> Kafka, and the job log -> the client. */
export function build({ config, log }: ServiceDeps): Service {
  const releasers = createReleasers(log);
  const keys = jobKeys(config.REDIS_PREFIX);
  const topics = topicNames(config.TOPIC_PREFIX);

  async function start() {
    const apiKeys = loadApiKeys(config.API_KEYS_FILE);
    const sources = config.RETRIEVAL_SOURCES.map(({ name }) => name);
    const assistants = await openAssistants({
      ...{ folder: config.ASSISTANTS_DIR, sources, build: (all) => all, log },
    });
    releasers.defer('assistants', () => assistants.close());
    const redis = connectRedis(config.REDIS_URL, 'ingress', log);
    releasers.defer('redis', () => closeRedis(redis));
    const jobLog = createJobLog({ redis, keys, retentionMs: config.LOG_RETENTION_MS });
    const live = await createLiveLog({
      log: jobLog,
      subscriber: connectRedisPatiently(config.REDIS_URL, 'ingress-live', log),
      channel: keys.channel(randomBytes(6).toString('hex')),
      logger: log,
      onAbandoned: (jobId) => {
        cancelJob({ jobLog, log }, jobId, 'disconnect').catch((error: unknown) => {
          log.warn({ err: error, jobId }, 'An abandoned job was not ended; the sweep will');
        });
      },
    });
    releasers.defer('live log', () => live.close());
    releasers.defer('reader lease', keepReaderLease(redis, keys, live.channel, log));

    const kafka = createKafka({ brokers: config.KAFKA_BROKERS, clientId: 'turnout-ingress', log });
    await kafka.ensureTopics(topicSpecs(topics, config.JOB_PARTITIONS));
    const producer = await kafka.producer();
    releasers.defer('producer', () => producer.close());

    const models = createModels({
      litellmUrl: config.LITELLM_URL,
      masterKey: config.LITELLM_MASTER_KEY,
      log,
    });
    const probes = createProbes('ingress', {
      draining: () => !releasers.closing(),
      kafka: () => producer.connected(),
      redis: () => redis.status === 'ready',
      subscription: () => live.subscribed(),
    });
    const control = await openControl({
      ...{ config, kafka, redis, service: 'ingress', registry: probes.registry, log },
    });
    releasers.defer('control', () => control.close());
    const blobs = await createBlobStore(config);
    releasers.defer('blobs', () => blobs.close());
    const { RESPONSE_RETENTION_MS: responseRetentionMs } = config;
    const stored = createStoredJobs({ jobLog, blobs, retentionMs: responseRetentionMs });
    const blobSweep = createBlobSweep({ blobs, jobLog, log, keptMs: responseRetentionMs });
    releasers.defer('blob sweep', () => blobSweep.close());
    blobSweep.start();
    const { files, queue } = startFileParts({ config, redis, blobs, releasers, log });
    const desk = createAdmissionDesk({
      jobLog,
      blobs,
      files,
      producer,
      topic: topics.jobs,
      secret: config.TURNOUT_SECRET,
      reader: live.channel,
      sampling: config.CACHE_SAMPLING,
      log,
    });

    const webhooks = createWebhooks({ config, redis, keys, log });
    releasers.defer('webhooks', () => webhooks.close());

    const app = createHttp(config.MAX_BODY_BYTES);
    const drain = createDrain(app, {
      shutdownTimeoutMs: config.SHUTDOWN_TIMEOUT_MS,
      lameDuckMs: config.LAME_DUCK_MS,
    });
    releasers.defer('http', () => drain.close());
    installErrorHandling(app, log);
    await documentApi(app);
    operationsRoutes(app, probes);
    await app.register((api) => {
      const caller = authenticated(api, apiKeys);
      const cut = drain.signal;
      const parts = { jobLog, live, desk, stored, models, blobs, files, queue, webhooks };
      const current = () => assistants.current();
      const pathOf = (user: string) => decide(user, control.inForce()).path;
      apiRoutes(api, { ...parts, assistants: current, pathOf, config, caller, cut, log });
      return Promise.resolve();
    });
    return { url: await app.listen({ host: config.HOST, port: config.PORT }) };
  }

  return { start, close: () => releasers.close() };
}
