import { createBlobStore } from '../../shared/platform/blobs/create-blob-store.ts';
import { openCache } from '../../shared/content/cache/open-cache.ts';
import { type Config } from '../../shared/platform/config/schema.ts';
import { openControl } from '../../shared/rollout/control/open-control.ts';
import { createExtractor, type ExtractorLimits } from './documents/extract/extractor.ts';
import { createFileRegistry } from '../../shared/content/files/file-registry.ts';
import { createJobLog } from '../../shared/jobs/joblog/job-log.ts';
import { createKafka } from '../../shared/platform/kafka/kafkajs.ts';
import { topicNames, topicSpecs } from '../../shared/platform/kafka/topics.ts';
import { createReleasers } from '../../shared/platform/lifecycle/releasers.ts';
import { type Service, type ServiceDeps } from '../../shared/platform/lifecycle/run-service.ts';
import { createJobLocks } from '../../shared/jobs/queues/job-locks.ts';
import { connectRedisWaiting } from '../../shared/platform/redis/connect.ts';
import { fileKeys, jobKeys } from '../../shared/platform/redis/keys.ts';
import { createSharedClock, showClockSkew } from '../../shared/platform/redis/shared-clock.ts';
import { createProbes, createProbeServer } from '../../shared/platform/telemetry/probes.ts';
import { createExtractWorker } from './pieces/extract-worker.ts';
import { createPieceWorkers } from './pieces/piece-workers.ts';
import { createHistoryThreads } from './sources/history-source.ts';
import { createEmbedding } from './sources/create-embedding.ts';
import { createDeliveryWorker } from './webhooks/delivery-worker.ts';

/**
 * Works on these BullMQ queues: `context`, `documents` and `sources` give context pieces; `extract` gives a file's text; `vectors` gives
 * the vectors of its passages; `webhooks` sends a POST to a user's endpoint. Untrusted content and URLs are handled only in this
 * service, which has no provider key.
 */
export function buildContextWorker({ config, log }: ServiceDeps): Service {
  const releasers = createReleasers(log);
  const redis = connectRedisWaiting(config.REDIS_URL, 'context-worker', log);
  releasers.defer('redis', () => redis.quit());

  async function start() {
    const blobs = await createBlobStore(config);
    releasers.defer('blobs', () => blobs.close());
    const extractor = createExtractor(extractorLimits(config));
    releasers.defer('extractor', () => extractor.close());
    const probes = createProbes('context-worker', {
      draining: () => !releasers.closing(),
      queue: () => workers.every((worker) => worker.isRunning()),
      webhooks: () => deliveries.running(),
      embedding: () => embedding?.worker.running() ?? true,
      redis: () => redis.status === 'ready',
    });
    const clock = createSharedClock({ redis, log });
    releasers.defer('clock', () => clock.close());
    await clock.start();
    showClockSkew(probes.registry, clock);
    const kafka = createKafka({ brokers: config.KAFKA_BROKERS, clientId: 'turnout-context-worker', log });
    await kafka.ensureTopics(
      topicSpecs(topicNames(config.TOPIC_PREFIX), config.JOB_PARTITIONS, config.TOPIC_REPLICATION),
    );
    const control = await openControl({
      config,
      kafka,
      redis,
      service: 'context-worker',
      registry: probes.registry,
      log,
    });
    releasers.defer('control', () => control.close());
    const opened = openCache({
      config,
      flags: () => control.inForce().flags,
      jobRedis: redis,
      name: 'context-worker',
      registry: probes.registry,
      log,
    });
    releasers.defer('cache', () => opened.close());
    const { cache } = opened;
    const locks = createJobLocks({ redis, config, service: 'context-worker', log });
    releasers.defer('locks', () => locks.close());
    const embedding = createEmbedding({ config, redis, blobs, cache, locks, releasers, log });
    const { similarities, vectors } = embedding ?? {};
    const jobLog = createJobLog({
      redis,
      keys: jobKeys(config.REDIS_PREFIX),
      retentionMs: config.LOG_RETENTION_MS,
      now: () => clock.now(),
    });
    const pool = createHistoryThreads();
    releasers.defer('threads', () => pool.close());
    const pieces = createPieceWorkers({
      config,
      redis,
      jobLog,
      blobs,
      extractor,
      cache,
      similarities,
      locks,
      pool,
      probes,
      log,
      now: () => clock.now(),
    });
    const files = createFileRegistry({
      redis,
      keys: fileKeys(config.REDIS_PREFIX),
      maxFilesPerUser: config.MAX_FILES_PER_USER,
      graceMs: config.FILE_GRACE_MS,
    });
    const extraction = createExtractWorker(
      { blobs, extractor, files, vectors, log },
      {
        connection: redis,
        redisPrefix: config.REDIS_PREFIX,
        concurrency: config.EXTRACT_CONCURRENCY,
        locks,
      },
    );
    const workers = [...pieces, extraction];
    const deliveries = createDeliveryWorker({ config, redis, locks, probes, log });
    const server = createProbeServer(probes);
    releasers.defer('http', () => server.close());
    const address = await server.listen(config.HOST, config.PORT);
    const all = [...workers, deliveries, ...(embedding ? [embedding.worker] : [])];
    releasers.defer('workers', () => Promise.all(all.map((each) => each.close())));
    await locks.ready();
    for (const each of workers) {
      void each.run().catch((error: unknown) => log.fatal({ err: error }, 'Queue worker stopped'));
      await each.waitUntilReady();
    }
    await Promise.all([deliveries.start(), embedding?.worker.start()]);
    return address;
  }

  return { start, close: () => releasers.close() };
}

function extractorLimits(config: Config): ExtractorLimits {
  return {
    cpuMs: config.EXTRACT_CPU_MS,
    timeoutMs: config.EXTRACT_TIMEOUT_MS,
    memoryMb: config.EXTRACT_MEMORY_MB,
    maxTextBytes: config.EXTRACT_MAX_TEXT_BYTES,
    concurrency: config.EXTRACT_CONCURRENCY,
  };
}
