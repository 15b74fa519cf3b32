import { type Job, Worker } from 'bullmq';
import { Histogram } from 'prom-client';
import { z } from 'zod';
import { type BlobStore } from '../../../shared/platform/blobs/blob-store.ts';
import { type Config } from '../../../shared/platform/config/schema.ts';
import { type ContextPiece, FLOW_VERSION } from '../../../shared/contracts/flow.ts';
import { userDigest } from '../../../shared/platform/ids.ts';
import { type Extractor } from '../documents/extract/extractor.ts';
import { createPassageChooser } from '../documents/passage-chooser.ts';
import { isOpen, type JobLog } from '../../../shared/jobs/joblog/job-log.ts';
import { type Logger } from '../../../shared/platform/log/logger.ts';
import { createModelLimits } from '../../../shared/content/models/model-limits.ts';
import { type JobLocks } from '../../../shared/jobs/queues/job-locks.ts';
import { leaveToLaterVersion } from '../../../shared/jobs/queues/later-version.ts';
import {
  bullPrefix,
  CONTEXT_QUEUE,
  DOCUMENT_QUEUE,
  SOURCE_QUEUE,
  workerTimings,
} from '../../../shared/jobs/queues/names.ts';
import { createUserTurns, stayedInTurns } from '../../../shared/jobs/queues/user-turns.ts';
import { type Redis } from '../../../shared/platform/redis/connect.ts';
import { type Probes } from '../../../shared/platform/telemetry/probes.ts';
import { workInProgress } from '../../../shared/platform/telemetry/work-in-progress.ts';
import { WAITING_PER_READER } from './extract-worker.ts';
import { fetchPieces } from './fetch-pieces.ts';
import { cachedSource } from '../sources/cached-source.ts';
import { type ContextSources } from '../sources/context-source.ts';
import { type DocumentSimilarities } from '../sources/document-similarity.ts';
import { createDocumentSource } from '../sources/document-source.ts';
import { createHistorySource, type HistorySourceDeps } from '../sources/history-source.ts';
import { createRemoteSource } from '../sources/remote-source.ts';
import { documentTerms, remoteTerms } from '../sources/terms.ts';
import { type PieceCache } from '../cache/through-cache.ts';

interface PieceWorkersDeps {
  config: Config;
  redis: Redis;
  jobLog: Pick<JobLog, 'standings'>;
  blobs: BlobStore;
  extractor: Extractor;
  cache: PieceCache;
  /** Absent: documents are compared by words only. */
  similarities: DocumentSimilarities | undefined;
  locks: Pick<JobLocks, 'during'>;
  /** For large conversations. */
  pool: HistorySourceDeps['pool'];
  probes: Pick<Probes, 'registry'>;
  /** The clock for deadlines; milliseconds since the epoch. */
  now: () => number;
  log: Logger;
}

/**
 * Workers for the BullMQ queues `context`, `documents` and `sources`. The context pieces that they return are read by the parent llm job
 * as its children's values. The workers do not run before `run` is called.
 */
export function createPieceWorkers(deps: PieceWorkersDeps): Worker[] {
  const { config, redis, jobLog, locks, probes, now, log } = deps;
  const sources = createSources(deps);
  const observe = createObserver(probes);

  const turns = createUserTurns(redis, config.REDIS_PREFIX, DOCUMENT_QUEUE);

  /** A job without a record counts as open. */
  async function hasEnded(jobId: string): Promise<boolean> {
    const [standing] = await jobLog.standings([jobId]);
    if (!standing || standing.state === 'missing') return false;
    return !isOpen(standing.state) || standing.cancel !== undefined;
  }

  async function fetchJob(job: Job, token: string | undefined): Promise<ContextPiece[]> {
    await leaveToLaterVersion(job, token, FLOW_VERSION);
    const lastAttempt = job.attemptsMade + 1 >= (job.opts.attempts ?? 1);
    return observe(await fetchPieces({ sources, hasEnded, now, log }, job.data, { lastAttempt }));
  }

  async function readJob(job: Job, token: string | undefined): Promise<ContextPiece[]> {
    try {
      return await fetchJob(job, token);
    } finally {
      const whose = whoseTurn.safeParse(job.data).data;
      if (whose) await turns.leave(userDigest(whose.user), whose.jobId).catch(stayedInTurns(log));
    }
  }

  function workOn(queue: string, concurrency: number, run = fetchJob): Worker {
    const worker = new Worker(
      queue,
      (job, token) =>
        workInProgress.during(`queue ${queue}`, () => locks.during(job, token, () => run(job, token))),
      {
        connection: redis,
        prefix: bullPrefix(config.REDIS_PREFIX),
        concurrency,
        autorun: false,
        skipLockRenewal: true,
        ...workerTimings,
      },
    );
    worker.on('error', (error) => log.warn({ err: error }, 'Queue worker reported an error'));
    return worker;
  }

  return [
    workOn(CONTEXT_QUEUE, config.CONTEXT_CONCURRENCY),
    // Readers take turns by user, so many documents wait in this process. Their bytes are not in memory while they wait.
    workOn(DOCUMENT_QUEUE, config.EXTRACT_CONCURRENCY * WAITING_PER_READER, readJob),
    workOn(SOURCE_QUEUE, config.SOURCE_CONCURRENCY),
  ];
}

const whoseTurn = z.object({ user: z.string(), jobId: z.string() });

function createSources(deps: PieceWorkersDeps): ContextSources {
  const { config, blobs, extractor, similarities, cache, pool, log } = deps;
  const { LITELLM_URL: litellmUrl, LITELLM_MASTER_KEY: masterKey, RETRIEVAL_SOURCES: services } = config;
  const documents = createDocumentSource({
    blobs,
    chooser: createPassageChooser(),
    extractor,
    similarities,
  });
  return {
    document: cachedSource(documents, cache, documentTerms(config.EMBEDDING_MODEL)),
    history: createHistorySource({
      blobs,
      limits: createModelLimits({ litellmUrl, masterKey, cache, log }),
      pool,
    }),
    remote: cachedSource(createRemoteSource({ services, log }), cache, remoteTerms(services)),
  };
}

function createObserver({ registry }: Pick<Probes, 'registry'>) {
  const seconds = new Histogram({
    name: 'turnout_context_piece_seconds',
    help: 'Time to fetch one context piece, by status.',
    labelNames: ['status'],
    buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [registry],
  });
  return (pieces: ContextPiece[]): ContextPiece[] => {
    for (const { status, ms } of pieces) seconds.observe({ status }, ms / 1_000);
    return pieces;
  };
}
