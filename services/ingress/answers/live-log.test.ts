import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { silentLogger } from '../../../shared/platform/log/logger.ts';
import { type Redis } from '../../../shared/platform/redis/connect.ts';
import { type JobLog, type JobView } from '../../../shared/jobs/joblog/job-log.ts';
import { createLiveLog } from './live-log.ts';

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

const view: JobView = {
  state: 'completed',
  owner: 'user-1',
  lastSequence: 2,
  deadlineAt: 0,
  createdAt: 0,
  userHash: 'u',
  model: 'm',
  entries: [
    { sequence: 1, event: { type: 'text', choice: 0, delta: 'Hello' } },
    { sequence: 2, event: { type: 'completed', at: 1 } },
  ],
};

/**
 * `answers`: the results of successive reads of the job Redis; the last one repeats. Pauses between reads are real because Jest
 * does not fake `node:timers/promises`.
 */
async function follow(answers: (() => Promise<JobView>)[], signal = new AbortController().signal) {
  const subscriber = Object.assign(new EventEmitter(), { subscribe: () => Promise.resolve() });
  let asked = 0;
  const log = {
    read: () => answers[Math.min(asked++, answers.length - 1)]?.(),
  } as unknown as JobLog;
  const live = await createLiveLog({
    log,
    subscriber: subscriber as unknown as Redis,
    channel: 'c',
    logger: silentLogger,
    onAbandoned: () => undefined,
  });
  const read = async () => {
    const types: string[] = [];
    for await (const group of live.follow('job_1', { signal }).events)
      types.push(...group.map(({ event }) => event.type));
    return types;
  };
  return { read: read() };
}

const away = () => Promise.reject(Object.assign(new Error('x'), { name: 'MaxRetriesPerRequestError' }));
const there = () => Promise.resolve(view);

async function pass(ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 500) await jest.advanceTimersByTimeAsync(500);
}

test('a stream continues after Redis was unavailable for less than a minute', async () => {
  const { read } = await follow([away, away, away, there]);
  await expect(read).resolves.toEqual(['text', 'completed']);
});

test('a stream ends with a typed error if Redis stays unavailable', async () => {
  const { read } = await follow([away]);
  const outcome = expect(read).rejects.toMatchObject({ code: 'store_unavailable', retryAfterS: 2 });
  await pass(62_000);
  await outcome;
});

test('a reader that disconnects while Redis is unavailable ends at once', async () => {
  const reader = new AbortController();
  const { read } = await follow([away], reader.signal);
  const outcome = expect(read).rejects.toThrow('hung up');
  await pass(1_000);
  reader.abort(new Error('hung up'));
  await outcome;
});

test('a programming error fails at once', async () => {
  const { read } = await follow([() => Promise.reject(new TypeError('a bug'))]);
  await expect(read).rejects.toThrow('a bug');
});

describe('a log whose end was lost and rewritten', () => {
  const attempt = (sequence: number, at: number) => ({
    sequence,
    event: { type: 'attempt' as const, at, attempt: at, path: 'litellm' as const },
  });
  const text = (sequence: number, delta: string) => ({
    sequence,
    event: { type: 'text' as const, choice: 0, delta },
  });
  const end = (sequence: number) => ({ sequence, event: { type: 'completed' as const, at: 9 } });
  const before: JobView = {
    ...view,
    state: 'running',
    lastSequence: 3,
    lastAttempt: { sequence: 1, at: 1 },
    entries: [attempt(1, 1), text(2, 'Why is'), text(3, ' the')],
  };

  test.each<[string, JobView]>([
    [
      'by another attempt, and is longer now',
      {
        ...view,
        lastSequence: 5,
        lastAttempt: { sequence: 3, at: 2 },
        entries: [text(4, ' morning'), end(5)],
      },
    ],
    [
      'by another attempt at the sequence of the lost one',
      {
        ...view,
        lastSequence: 5,
        lastAttempt: { sequence: 1, at: 2 },
        entries: [text(4, ' morning'), end(5)],
      },
    ],
    ['by the end of the job', { ...view, lastSequence: 3, lastAttempt: { sequence: 1, at: 1 }, entries: [] }],
  ])('%s: the reader gets log_rewound instead of a mixed answer', async (_by, after) => {
    const { read } = await follow([() => Promise.resolve(before), () => Promise.resolve(after)]);
    const outcome = expect(read).rejects.toMatchObject({ code: 'log_rewound' });
    await pass(5_000);
    await outcome;
  });

  test.each<[string, JobView]>([
    [
      'by its writer, which resends the same events',
      { ...view, lastSequence: 4, lastAttempt: { sequence: 1, at: 1 }, entries: [end(4)] },
    ],
    [
      'not at all: another attempt continues after it',
      {
        ...view,
        lastSequence: 5,
        lastAttempt: { sequence: 4, at: 2 },
        entries: [attempt(4, 2), end(5)],
      },
    ],
    ['by an earlier version, which records no attempts', { ...view, lastSequence: 4, entries: [end(4)] }],
  ])('%s: the reader continues', async (_by, after) => {
    const { read } = await follow([() => Promise.resolve(before), () => Promise.resolve(after)]);
    await pass(5_000);
    expect((await read).at(-1)).toBe('completed');
  });
});
