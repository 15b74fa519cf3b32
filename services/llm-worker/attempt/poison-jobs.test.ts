import { beforeEach, describe, expect, test } from '@jest/globals';
import { type JobLog } from '../../../shared/jobs/joblog/job-log.ts';
import { type DeadLetter } from '../../../shared/jobs/dead-letters.ts';
import { silentLogger } from '../../../shared/platform/log/logger.ts';
import { createPoisonJobs, type PoisonJobs } from './poison-jobs.ts';

/** What happened, in order: `refused` by Kafka, `kept`, `ended`. */
let happened: string[];
let kept: DeadLetter[];
let refusals: number;
let poison: PoisonJobs;

beforeEach(() => {
  [happened, kept, refusals] = [[], [], 0];
  poison = poisonJobs();
});

function poisonJobs(keepWithinMs?: number): PoisonJobs {
  return createPoisonJobs({
    deadLetters: { publish },
    // Ending a job starts with a read of its log, so this call shows that the job is being ended.
    jobLog: { read: () => Promise.resolve(void happened.push('ended')) } as Partial<JobLog> as JobLog,
    relays: { begin: () => undefined },
    log: silentLogger,
    ...(keepWithinMs === undefined ? {} : { keepWithinMs }),
  });
}

function publish(letter: DeadLetter): Promise<void> {
  happened.push(refusals > 0 ? 'refused' : 'kept');
  if (refusals > 0) return ((refusals -= 1), Promise.reject(new Error('Kafka is away')));
  kept.push(letter);
  return Promise.resolve();
}

describe('a poison job', () => {
  test('is published unchanged, with its origin and original id', async () => {
    await poison.keep('job_1', { any: 'thing' }, 'begun too often', AbortSignal.timeout(10_000));
    expect(kept).toEqual([
      expect.objectContaining({
        origin: 'bullmq/llm/job_1',
        originalId: 'job_1',
        reason: 'poison_job: begun too often',
        value: '{"any":"thing"}',
      }),
    ]);
  });

  test('is published again until Kafka accepts it', async () => {
    refusals = 2;
    await poison.keep('job_1', {}, 'w', AbortSignal.timeout(10_000));
    expect(happened).toEqual(['refused', 'refused', 'kept']);
  });

  test('is not published any more after its signal fires', async () => {
    refusals = Infinity;
    const deadline = new AbortController();
    const keeping = poison.keep('job_1', {}, 'w', deadline.signal);
    deadline.abort();
    await expect(keeping).rejects.toThrow();
    expect(happened).not.toContain('kept');
  });

  test('is dropped when Kafka stays unavailable past the time limit', async () => {
    refusals = Infinity;
    await poisonJobs(1).keep('job_1', {}, 'w', new AbortController().signal);
    expect(happened).toContain('refused');
    expect(happened).not.toContain('kept');
  });

  test('is handled once while reports of it repeat', async () => {
    refusals = 1;
    for (const why of ['stalled', 'still open', 'still open'])
      poison.giveUp({ id: 'job_1', data: {} }, new Error(why));
    await poison.idle();
    expect(happened).toEqual(['refused', 'kept', 'ended']);
    poison.giveUp({ id: 'job_1', data: {} }, new Error('again, later'));
    await poison.idle();
    expect(kept).toHaveLength(2);
  });

  test('that BullMQ failed is published before it is ended, and idle() waits for both', async () => {
    refusals = 1;
    poison.giveUp({ id: 'job_1', data: {} }, new Error('stalled'));
    await poison.idle();
    expect(happened).toEqual(['refused', 'kept', 'ended']);
    expect(kept[0]?.reason).toBe('poison_job: BullMQ failed the job: stalled');
  });
});
