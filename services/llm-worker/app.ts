import { type Job, Worker } from 'bullmq';
import { createDiskBlobStore } from '../../shared/blobs/disk-blob-store.ts';
import { type Config } from '../../shared/config/schema.ts';
import { contextPiece, llmJob } from '../../shared/contracts/flow.ts';
import { createJobLog } from '../../shared/joblog/job-log.ts';
import { createOutbox } from '../../shared/joblog/outbox.ts';
import { createKafka } from '../../shared/kafka/kafkajs.ts';
import { topicNames, topicSpecs } from '../../shared/kafka/topics.ts';
import { createReleasers } from '../../shared/lifecycle/releasers.ts';
import { type Service, type ServiceDeps } from '../../shared/lifecycle/run-service.ts';
import { bullPrefix, LLM_QUEUE, workerTimings } from '../../shared/queues/names.ts';
import { connectRedisPatiently } from '../../shared/redis/connect.ts';
import { jobKeys } from '../../shared/redis/keys.ts';
import { createProbes, createProbeServer } from '../../shared/telemetry/probes.ts';
import { createJobEnder } from './job-end.ts';
import { createModelLimits } from './model-limits.ts';
import { createModelPath, type ModelPath } from './model-path.ts';
import { runJob, type RunJobDeps } from './run-job.ts';

/** BullMQ `llm` -> the model -> the job log. */
export function build({ config, log }: ServiceDeps): Service {
  const releasers = createReleasers(log);
  const keys = jobKeys(config.REDIS_PREFIX);
  const topics = topicNames(config.TOPIC_PREFIX);
  const redis = connectRedisPatiently(config.REDIS_URL, 'llm-worker', log);
  releasers.defer('redis', () => redis.quit());
  const queueRedis = connectRedisPatiently(config.REDIS_URL, 'llm-queue', log);
  releasers.defer('queue redis', () => queueRedis.quit());
  const kafka = createKafka({ brokers: config.KAFKA_BROKERS, clientId: 'turnout-llm-worker', log });

  async function start() {
    await kafka.ensureTopics(topicSpecs(topics, config.JOB_PARTITIONS));
    const producer = await kafka.producer();
    releasers.defer('producer', () => producer.close());
    const outbox = createOutbox({
      redis,
      keys,
      producer,
      topic: topics.events,
      source: 'llm-worker',
      logger: log,
    });
    releasers.defer('outbox', () => outbox.close());
    outbox.start();
    const ender = createJobEnder(outbox, log);
    releasers.defer('outcomes in flight', () => ender.idle());

    const deps: RunJobDeps = {
      jobLog: createJobLog({ redis, keys, retentionMs: config.LOG_RETENTION_MS }),
      blobs: createDiskBlobStore(config.BLOB_DIR),
      paths: { litellm: litellmPath(config), legacy: legacyPath(config) },
      limits: createModelLimits({
        litellmUrl: config.LITELLM_URL,
        masterKey: config.LITELLM_MASTER_KEY,
        log,
      }),
      ender,
      log,
    };
    const worker = new Worker(LLM_QUEUE, (job) => processJob(deps, job), {
      connection: queueRedis,
      prefix: bullPrefix(config.REDIS_PREFIX),
      concurrency: config.LLM_CONCURRENCY,
      autorun: false,
      ...workerTimings,
    });
    worker.on('error', (error) => log.warn({ err: error }, 'Queue worker reported an error'));
    const probes = createProbes('llm-worker', {
      queue: () => worker.isRunning(),
      redis: () => redis.status === 'ready',
    });
    const server = createProbeServer(probes);
    releasers.defer('http', () => server.close());
    const address = await server.listen(config.HOST, config.PORT);
    releasers.defer('worker', () => worker.close());
    void worker.run().catch((error: unknown) => log.fatal({ err: error }, 'Queue worker stopped'));
    await worker.waitUntilReady();
    return address;
  }

  return { start, close: () => releasers.close() };
}

async function processJob(deps: RunJobDeps, job: Job): Promise<void> {
  const data = llmJob.parse(job.data);
  const values = data.context.length === 0 ? {} : await job.getChildrenValues();
  const pieces = Object.values(values).map((value) => contextPiece.parse(value));
  await runJob(deps, data, pieces);
}

function litellmPath(config: Config): ModelPath {
  return createModelPath({ baseURL: `${config.LITELLM_URL}/v1`, apiKey: config.LITELLM_MASTER_KEY });
}

function legacyPath(config: Config): ModelPath | undefined {
  if (!config.LEGACY_BASE_URL) return undefined;
  return createModelPath({ baseURL: config.LEGACY_BASE_URL, apiKey: config.LEGACY_API_KEY ?? 'none' });
}
