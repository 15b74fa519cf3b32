import { cachedAnswerCodec, toCachedAnswer } from '../../../shared/content/answers/cached-answer.ts';
import { type Cache } from '../../../shared/content/cache/cache.ts';
import { type LlmJob } from '../../../shared/contracts/flow.ts';
import { type JobEvent } from '../../../shared/contracts/job-event.ts';

/** Stores completed answers in their users' caches, for jobs that the router marked with `keepAs`. */
export interface AnswerKeeper {
  /** Stores the answer in the background. `events`: the whole log of the job. */
  keep(job: Pick<LlmJob, 'user' | 'keepAs'>, events: readonly JobEvent[]): void;
  /** Waits for the writes in progress. */
  idle(): Promise<void>;
}

export function createAnswerKeeper(cache: Pick<Cache, 'set'>): AnswerKeeper {
  const underWay = new Set<Promise<void>>();

  async function store({ user, keepAs }: Pick<LlmJob, 'user' | 'keepAs'>, events: readonly JobEvent[]) {
    const answer = keepAs && toCachedAnswer(events);
    if (!answer) return;
    const { fingerprint, era: cacheVersion, ttlMs } = keepAs;
    await cache.set({ kind: 'answer', user, fingerprint }, answer, cachedAnswerCodec, {
      cacheVersion,
      ttlMs,
    });
  }

  return {
    keep: (job, events) => {
      const stored = store(job, events).finally(() => underWay.delete(stored));
      underWay.add(stored);
    },
    idle: async () => {
      await Promise.all(underWay);
    },
  };
}
