import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { type Outcome } from '../../contracts/outcome.ts';
import { silentLogger } from '../../platform/log/logger.ts';
import { type Redis } from '../../platform/redis/connect.ts';
import { jobKeys } from '../../platform/redis/keys.ts';
import { createOutbox } from './outbox.ts';

const keys = jobKeys('t');
const jobIn = (bucket: string) => `job_${'0'.repeat(30)}${bucket}`;
const FIRST = jobIn('00');
const SAME_BUCKET = `job_${'1'.repeat(30)}00`;
const LAST = jobIn('3f');

const rowOf = (jobId: string): string[] => ['outcome', JSON.stringify(outcomeOf(jobId)), 'duties', 'keep'];

function outcomeOf(jobId: string): Outcome {
  return {
    version: 1,
    id: `${jobId}.end`,
    jobId,
    userHash: 'u',
    model: 'm',
    status: 'completed',
    attempts: 1,
    at: 1,
    ms: { total: 1 },
    usage: [],
  };
}

/** A fake with the stream commands that the outbox uses. */
function redisWith(streams: Record<string, Record<string, string[]>>) {
  return {
    set: () => Promise.resolve('OK'),
    del: () => Promise.resolve(1),
    xrange: (stream: string) => Promise.resolve(Object.entries(streams[stream] ?? {})),
  } as unknown as Redis;
}

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

test.each([
  ['cannot be read', ['outcome', '{', 'duties', '']],
  ['cannot be split from its hooks', rowOf(FIRST)],
])('a row that %s does not delay other rows', async (_name, poison) => {
  const [first, last] = [keys.outbox(FIRST), keys.outbox(LAST)];
  const streams: Record<string, Record<string, string[]>> = {
    [first]: { '1-0': poison, '2-0': rowOf(SAME_BUCKET) },
    [last]: { '1-0': rowOf(LAST) },
  };
  const outbox = createOutbox({
    ended: () => Promise.resolve(),
    redis: redisWith(streams),
    keys,
    jobLog: {
      published: (jobId, row) => {
        const stream = keys.outbox(jobId);
        streams[stream] = Object.fromEntries(
          Object.entries(streams[stream] ?? {}).filter(([id]) => id !== row),
        );
        return Promise.resolve();
      },
    },
    producer: { send: () => Promise.resolve(), connected: () => true, close: () => Promise.resolve() },
    topic: 'events',
    source: 'test',
    hooks: {
      take: (jobId, row) => (jobId === FIRST ? Promise.reject(new Error('damaged')) : Promise.resolve(row)),
      run: () => Promise.resolve(),
    },
    logger: silentLogger,
  });
  outbox.start();
  await jest.advanceTimersByTimeAsync(2_500);
  await outbox.close();
  expect(streams).toEqual({ [first]: { '1-0': poison }, [last]: {} });
});
