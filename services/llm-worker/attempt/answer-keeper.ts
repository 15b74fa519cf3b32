import { cachedAnswerCodec, toCachedAnswer } from '../../../shared/content/answers/cached-answer.ts';
import { type Cache } from '../../../shared/content/cache/cache.ts';
import { type LlmJob } from '../../../shared/contracts/flow.ts';
import { type JobEvent } from '../../../shared/contracts/job-event.ts';

/** Keeps completed answers in their users' caches, where the router said so. */
export interface AnswerKeeper {
  /** `events`: the whole log of the job. Nobody waits for it. */
  keep(job: Pick<LlmJob, 'user' | 'keepAs'>, events: readonly JobEvent[]): void;
  /** Waits for those that are under way. */
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
