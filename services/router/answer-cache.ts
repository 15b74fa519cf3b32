import { answerFingerprint } from '../../shared/content/answers/fingerprint.ts';
import { type CachedAnswer, cachedAnswerCodec } from '../../shared/content/answers/cached-answer.ts';
import { type Cache } from '../../shared/content/cache/cache.ts';
import { type Decision } from '../../shared/contracts/decision.ts';
import { type LlmJob } from '../../shared/contracts/flow.ts';
import { type CacheStatus } from '../../shared/contracts/job-event.ts';
import { type JobMessage } from '../../shared/contracts/job-message.ts';
import { type Picked } from './pick-assistant.ts';
import { type ContextPlan } from './plan-context.ts';

/** The result of looking for a job's answer in its user's cache. */
export interface Consulted {
  /** Undefined when the job does not use the cache. */
  status?: CacheStatus;
  answer?: CachedAnswer & { at: number };
  /** The cache key and version under which to store the answer that the job gets. */
  keepAs?: LlmJob['keepAs'];
}

export type CacheableJob = Pick<JobMessage, 'user' | 'caching' | 'documents' | 'groups' | 'truncation'>;

export interface AnswerCache {
  /** Never rejects: an unavailable cache counts as a miss. */
  consult(job: CacheableJob, decided: DecidedAnswer): Promise<Consulted>;
}

export interface DecidedAnswer {
  decision: Decision;
  picked: Picked;
  plan: ContextPlan;
}

interface AnswerCacheOptions {
  cache: Pick<Cache, 'uses' | 'cacheVersion' | 'get'>;
  /** How long an answer that used a retrieval service may be cached, like the retrieval results themselves. Milliseconds. */
  retrievalTtlMs: number;
}

export function createAnswerCache({ cache, retrievalTtlMs }: AnswerCacheOptions): AnswerCache {
  return {
    consult: async (job, decided) => {
      const fingerprint = fingerprintOf(job, decided);
      if (!job.caching || fingerprint === undefined) return {};
      const key = { kind: 'answer', user: job.user, fingerprint } as const;
      if (!cache.uses(key)) return {};
      const { lookUp, keep, maxAgeMs } = job.caching;
      const remote = requestsOf(decided.plan).some(({ kind }) => kind === 'remote');
      const keptAt = (cacheVersion: string | undefined) =>
        keep && cacheVersion !== undefined
          ? { keepAs: { fingerprint, era: cacheVersion, ...(remote ? { ttlMs: retrievalTtlMs } : {}) } }
          : {};
      if (!lookUp) return { status: 'bypass', ...keptAt(await cache.cacheVersion(key)) };
      const found = await cache.get(key, cachedAnswerCodec, { maxAgeMs });
      if (found.found) return { status: 'hit', answer: { ...found.value, at: found.at } };
      return { status: 'miss', ...keptAt(found.cacheVersion) };
    },
  };
}

function fingerprintOf(
  { caching, documents, groups = [], truncation }: CacheableJob,
  { decision, picked, plan }: DecidedAnswer,
): string | undefined {
  if (caching?.request === undefined) return undefined;
  const { model, assistant } = picked;
  return answerFingerprint({
    request: caching.request,
    model,
    path: decision.path,
    documents,
    groups,
    truncation,
    assistant: assistant && { name: assistant.name, version: assistant.version },
    pieces: requestsOf(plan),
  });
}

function requestsOf({ children }: ContextPlan) {
  return children.flatMap(({ pieces }) => pieces);
}
