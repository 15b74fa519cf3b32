import { type Job, Worker } from 'bullmq';
import { Histogram } from 'prom-client';
import { type BlobStore } from '../../shared/blobs/blob-store.ts';
import { createBlobStore } from '../../shared/blobs/create-blob-store.ts';
import { type Config } from '../../shared/config/schema.ts';
import { type ContextPiece } from '../../shared/contracts/flow.ts';
import {
  createExtractor,
  type Extractor,
  type ExtractorLimits,
} from '../../shared/documents/extract/extractor.ts';
import { createPassageChooser } from '../../shared/documents/passage-chooser.ts';
import { createFileRegistry } from '../../shared/files/file-registry.ts';
import { createReleasers } from '../../shared/lifecycle/releasers.ts';
import { type Service, type ServiceDeps } from '../../shared/lifecycle/run-service.ts';
import {
  bullPrefix,
  CONTEXT_QUEUE,
  DOCUMENT_QUEUE,
  SOURCE_QUEUE,
  workerTimings,
} from '../../shared/queues/names.ts';
import { connectRedisPatiently } from '../../shared/redis/connect.ts';
import { createModelLimits } from '../../shared/models/model-limits.ts';
import { type Logger } from '../../shared/log/logger.ts';
import { fileKeys } from '../../shared/redis/keys.ts';
import { createProbes, createProbeServer, type Probes } from '../../shared/telemetry/probes.ts';
import { createExtractWorker } from './extract-worker.ts';
import { fetchPieces, type FetchPiecesDeps } from './fetch-pieces.ts';
import { type ContextSources } from './sources/context-source.ts';
import { createEmbedding } from './vectors/create-embedding.ts';
import { type DocumentSimilarities } from './sources/document-similarity.ts';
import { createDocumentSource } from './sources/document-source.ts';
import { createHistorySource } from './sources/history-source.ts';
import { createRemoteSource } from './sources/remote-source.ts';
import { createDeliveryWorker } from './webhooks/delivery-worker.ts';

/**
 * BullMQ `context`, `documents` and `sources` -> pieces of context, which the parent llm job reads as its children's values; `extract` -> a file's text;
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
    const {
      similarities,
      vectors,
      worker: embedding,
    } = createEmbedding({ config, redis, blobs, releasers, log }) ?? {};
    const sources = createSources({ config, blobs, extractor, similarities, log });
    const deps: FetchPiecesDeps = { sources, log };
    const probes = createProbes('context-worker', {
      draining: () => !releasers.closing(),
      queue: () => workers.every((worker) => worker.isRunning()),
      webhooks: () => deliveries.running(),
      embedding: () => embedding?.running() ?? true,
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
    const remotes = pieceWorker(SOURCE_QUEUE, config.SOURCE_CONCURRENCY);
    const files = createFileRegistry({
      redis,
      keys: fileKeys(config.REDIS_PREFIX),
      maxFilesPerUser: config.MAX_FILES_PER_USER,
      graceMs: config.FILE_GRACE_MS,
    });
    const extraction = createExtractWorker(
      { blobs, extractor, files, vectors, log },
      { connection: redis, redisPrefix: config.REDIS_PREFIX, concurrency: config.EXTRACT_CONCURRENCY },
    );
    const workers = [texts, documents, remotes, extraction];
    const deliveries = createDeliveryWorker({ config, redis, probes, log });
    const server = createProbeServer(probes);
    releasers.defer('http', () => server.close());
    const address = await server.listen(config.HOST, config.PORT);
    const all = [...workers, deliveries, ...(embedding ? [embedding] : [])];
    releasers.defer('workers', () => Promise.all(all.map((each) => each.close())));
    for (const each of workers) {
      void each.run().catch((error: unknown) => log.fatal({ err: error }, 'Queue worker stopped'));
      await each.waitUntilReady();
    }
    await Promise.all([deliveries.start(), embedding?.start()]);
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

interface SourceDeps {
  config: Config;
  blobs: BlobStore;
  extractor: Extractor;
  similarities: DocumentSimilarities | undefined;
  log: Logger;
}

function createSources({ config, blobs, extractor, similarities, log }: SourceDeps): ContextSources {
  const limits = createModelLimits({
    litellmUrl: config.LITELLM_URL,
    masterKey: config.LITELLM_MASTER_KEY,
    log,
  });
  return {
    document: createDocumentSource({ blobs, chooser: createPassageChooser(), extractor, similarities }),
    history: createHistorySource({ blobs, limits }),
    remote: createRemoteSource({ services: config.RETRIEVAL_SOURCES, log }),
  };
}

function processJob(deps: FetchPiecesDeps, job: Job): Promise<ContextPiece[]> {
  const lastAttempt = job.attemptsMade + 1 >= (job.opts.attempts ?? 1);
  return fetchPieces(deps, job.data, { lastAttempt });
}

function createObserver({ registry }: Probes) {
  const seconds = new Histogram({
    name: 'turnout_context_piece_seconds',
    help: 'Time to fetch one piece of context, by status.',
    labelNames: ['status'],
    buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [registry],
  });
  return (pieces: ContextPiece[]): ContextPiece[] => {
    for (const { status, ms } of pieces) seconds.observe({ status }, ms / 1_000);
    return pieces;
  };
}
