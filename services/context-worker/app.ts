import { type Job, Worker } from 'bullmq';
import { Histogram } from 'prom-client';
import { createBlobStore } from '../../shared/blobs/create-blob-store.ts';
import { type Config } from '../../shared/config/schema.ts';
import { type ContextPiece } from '../../shared/contracts/flow.ts';
import { createExtractor, type ExtractorLimits } from '../../shared/documents/extract/extractor.ts';
import { createPassageChooser } from '../../shared/documents/passage-chooser.ts';
import { createFileRegistry } from '../../shared/files/file-registry.ts';
import { createReleasers } from '../../shared/lifecycle/releasers.ts';
import { type Service, type ServiceDeps } from '../../shared/lifecycle/run-service.ts';
import { bullPrefix, CONTEXT_QUEUE, DOCUMENT_QUEUE, workerTimings } from '../../shared/queues/names.ts';
import { connectRedisPatiently } from '../../shared/redis/connect.ts';
import { fileKeys } from '../../shared/redis/keys.ts';
import { createProbes, createProbeServer, type Probes } from '../../shared/telemetry/probes.ts';
import { createExtractWorker } from './extract-worker.ts';
import { preparePiece, type PreparePieceDeps } from './prepare-piece.ts';
import { createDeliveryWorker } from './webhooks/delivery-worker.ts';

/**
 * BullMQ `context` and `documents` -> one piece of context each, which the parent llm job reads as its child's value; `extract` -> a file's text;
 * `webhooks` -> a POST to a user's endpoint. What others wrote and where others point is touched here, where no provider's
 * key is.
 */
export function build({ config, log }: ServiceDeps): Service {
  const releasers = createReleasers(log);
  const redis = connectRedisPatiently(config.REDIS_URL, 'context-worker', log);
  releasers.defer('redis', () => redis.quit());

  async function start() {
    const blobs = await createBlobStore(config);
    releasers.defer('blobs', () => blobs.close());
    const extractor = createExtractor(extractorLimits(config));
    releasers.defer('extractor', () => extractor.close());
    const deps: PreparePieceDeps = { blobs, chooser: createPassageChooser(), extractor, log };
    const probes = createProbes('context-worker', {
      draining: () => !releasers.closing(),
      queue: () => workers.every((worker) => worker.isRunning()),
      webhooks: () => deliveries.running(),
      redis: () => redis.status === 'ready',
    });
    const observe = createObserver(probes);
    const pieceWorker = (queue: string, concurrency: number) => {
      const worker = new Worker(queue, async (job) => observe(await processJob(deps, job)), {
        connection: redis,
        prefix: bullPrefix(config.REDIS_PREFIX),
        concurrency,
        autorun: false,
        ...workerTimings,
      });
      worker.on('error', (error) => log.warn({ err: error }, 'Queue worker reported an error'));
      return worker;
    };
    const texts = pieceWorker(CONTEXT_QUEUE, config.CONTEXT_CONCURRENCY);
    const documents = pieceWorker(DOCUMENT_QUEUE, config.EXTRACT_CONCURRENCY);
    const files = createFileRegistry({
      redis,
      keys: fileKeys(config.REDIS_PREFIX),
      maxFilesPerUser: config.MAX_FILES_PER_USER,
      graceMs: config.FILE_GRACE_MS,
    });
    const extraction = createExtractWorker(
      { blobs, extractor, files, log },
      { connection: redis, redisPrefix: config.REDIS_PREFIX, concurrency: config.EXTRACT_CONCURRENCY },
    );
    const workers = [texts, documents, extraction];
    const deliveries = createDeliveryWorker({ config, redis, probes, log });
    const server = createProbeServer(probes);
    releasers.defer('http', () => server.close());
    const address = await server.listen(config.HOST, config.PORT);
    releasers.defer('workers', () => Promise.all([...workers, deliveries].map((each) => each.close())));
    for (const each of workers) {
      void each.run().catch((error: unknown) => log.fatal({ err: error }, 'Queue worker stopped'));
      await each.waitUntilReady();
    }
    await deliveries.start();
    return address;
  }

  return { start, close: () => releasers.close() };
}

function extractorLimits(config: Config): ExtractorLimits {
  return {
    timeoutMs: config.EXTRACT_TIMEOUT_MS,
    memoryMb: config.EXTRACT_MEMORY_MB,
    maxTextBytes: config.EXTRACT_MAX_TEXT_BYTES,
    concurrency: config.EXTRACT_CONCURRENCY,
  };
}

function processJob(deps: PreparePieceDeps, job: Job): Promise<ContextPiece> {
  const lastAttempt = job.attemptsMade + 1 >= (job.opts.attempts ?? 1);
  return preparePiece(deps, job.data, { lastAttempt });
}

function createObserver({ registry }: Probes) {
  const seconds = new Histogram({
    name: 'turnout_context_piece_seconds',
    help: 'Time to prepare one piece of context, by status; failed pieces count as 0.',
    labelNames: ['status'],
    buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [registry],
  });
  return (piece: ContextPiece): ContextPiece => {
    seconds.observe({ status: piece.status }, piece.status === 'ready' ? piece.ms / 1_000 : 0);
    return piece;
  };
}
