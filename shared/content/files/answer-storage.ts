import { TurnoutError } from '../../platform/errors/turnout-error.ts';
import { type Redis } from '../../platform/redis/connect.ts';
import { type FileKeys } from '../../platform/redis/keys.ts';
import { defineScript } from '../../platform/redis/script.ts';
import { type AnswerCount, type CountedAnswer } from '../../jobs/joblog/kept-jobs.ts';
import { storageFull, storedKeys } from './file-registry.ts';

export interface StorageQuota {
  /** Limit of files and stored answers together. */
  bytes: number;
  answers: number;
}

/**
 * Counts stored answers towards their users' quotas, which they share with uploaded files.
 *
 *   reserved (at admission, by the size of the request) -> counted (the copy is stored) -> gone (deleted or expired)
 *   reserved -> gone (the job was not accepted, or produced no stored answer)
 *
 * Reservations and counts expire, so a process that dies leaks no quota permanently.
 */
export interface AnswerStorage extends AnswerCount {
  /** Throws `storage_limit_exceeded`. Idempotent: changes nothing when the job's answer is reserved or counted already. */
  reserve(answer: CountedAnswer, quota: StorageQuota): Promise<void>;
  /** Releases the reservation of a job that was not accepted. A counted answer stays counted. */
  release(user: string, jobId: string): Promise<void>;
}

const script = (name: string) => new URL(`./scripts/${name}.lua`, import.meta.url);

export function createAnswerStorage(redis: Redis, keys: FileKeys): AnswerStorage {
  const prelude = [script('prelude'), script('answers-prelude')];
  const reserve = defineScript(redis, script('reserve-answer'), prelude);
  const count = defineScript(redis, script('count-answer'), prelude);
  const uncount = defineScript(redis, script('uncount-answer'), prelude);
  const keysOf = (user: string) => [keys.answers(user), keys.answerSizes(user)];
  return {
    reserve: async ({ user, jobId, bytes, until }, quota) => {
      const args = [jobId, bytes, until, quota.bytes, quota.answers];
      const lacking = await reserve(storedKeys(keys, user), args);
      if (lacking === 'bytes') throw storageFull(quota.bytes, 'store');
      if (lacking === 'answers') throw tooManyAnswers(quota.answers);
    },
    count: async ({ user, jobId, bytes, until }) => {
      await count(keysOf(user), [jobId, bytes, until]);
    },
    release: async (user, jobId) => {
      await uncount(keysOf(user), [jobId, 'reserved']);
    },
    forget: async (user, jobId) => {
      await uncount(keysOf(user), [jobId, 'all']);
    },
  };
}

function tooManyAnswers(most: number): TurnoutError {
  return new TurnoutError('storage_limit_exceeded', {
    message: `You have reached your limit of ${most} stored answers. Delete some, or send "store": false.`,
    param: 'store',
  });
}
