import { type BlobStore } from '../../../shared/platform/blobs/blob-store.ts';
import { type Config } from '../../../shared/platform/config/schema.ts';
import { withBreaker } from '../embeddings/embedding-breaker.ts';
import { createEmbeddings } from '../embeddings/embeddings.ts';
import { type Logger } from '../../../shared/platform/log/logger.ts';
import { type Releasers } from '../../../shared/platform/lifecycle/releasers.ts';
import { type JobLocks } from '../../../shared/jobs/queues/job-locks.ts';
import { type Redis } from '../../../shared/platform/redis/connect.ts';
import { createDocumentSimilarities, type DocumentSimilarities } from './document-similarity.ts';
import { type PieceCache } from '../cache/through-cache.ts';
import { createFileVectors, type FileVectors } from '../vectors/file-vectors.ts';
import { createVectorsQueue } from '../vectors/vectors-queue.ts';
import { createVectorsWorker, type VectorsWorker } from '../vectors/vectors-worker.ts';

export interface Embedding {
  similarities: DocumentSimilarities;
  vectors: FileVectors;
  /** Embeds files in the background. */
  worker: VectorsWorker;
}

interface EmbeddingDeps {
  config: Config;
  redis: Redis;
  blobs: BlobStore;
  cache: PieceCache;
  locks: Pick<JobLocks, 'during'>;
  releasers: Releasers;
  log: Logger;
}

/** Everything for the comparison by meaning; undefined when no embedding model is configured. */
export function createEmbedding({
  config,
  redis,
  blobs,
  cache,
  locks,
  releasers,
  log,
}: EmbeddingDeps): Embedding | undefined {
  const { EMBEDDING_MODEL: model, EMBEDDING_TIMEOUT_MS: timeoutMs, REDIS_PREFIX: redisPrefix } = config;
  if (model === undefined) return undefined;
  const endpoint = { baseURL: `${config.LITELLM_URL}/v1`, apiKey: config.LITELLM_MASTER_KEY, model };
  const embeddings = createEmbeddings(endpoint);
  const queue = createVectorsQueue({ connection: redis, redisPrefix, log });
  releasers.defer('vectors queue', () => queue.close());
  const vectors = createFileVectors({
    blobs,
    embeddings,
    queue,
    wholeTokens: config.CONTEXT_TOKENS,
    log,
  });
  const asked = withBreaker(embeddings, log);
  return {
    similarities: createDocumentSimilarities({ embeddings: asked, vectors, cache, timeoutMs, log }),
    vectors,
    worker: createVectorsWorker({ connection: redis, redisPrefix, locks, vectors, log }),
  };
}
