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

/** Pauses between questions are real ones: Jest does not fake `node:timers/promises`. `answers`: what the job Redis says, one question after the other; the last one holds. */
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

test('a stream goes on where Redis was away for less than a minute', async () => {
  const { read } = await follow([away, away, away, there]);
  await expect(read).resolves.toEqual(['text', 'completed']);
});

test('a stream ends with a typed error where Redis stays away', async () => {
  const { read } = await follow([away]);
  const outcome = expect(read).rejects.toMatchObject({ code: 'store_unavailable', retryAfterS: 2 });
  await pass(62_000);
  await outcome;
});

test('a reader that leaves while Redis is away leaves at once', async () => {
  const reader = new AbortController();
  const { read } = await follow([away], reader.signal);
  const outcome = expect(read).rejects.toThrow('hung up');
  await pass(1_000);
  reader.abort(new Error('hung up'));
  await outcome;
});

test('a command that is wrong fails at once', async () => {
  const { read } = await follow([() => Promise.reject(new TypeError('a bug'))]);
  await expect(read).rejects.toThrow('a bug');
});

describe('a log whose end was lost and written anew', () => {
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
      'by another attempt, and is longer by now',
      {
        ...view,
        lastSequence: 5,
        lastAttempt: { sequence: 3, at: 2 },
        entries: [text(4, ' morning'), end(5)],
      },
    ],
    [
      'by another attempt in the place of the one that was lost',
      {
        ...view,
        lastSequence: 5,
        lastAttempt: { sequence: 1, at: 2 },
        entries: [text(4, ' morning'), end(5)],
      },
    ],
    ['by the end of the job', { ...view, lastSequence: 3, lastAttempt: { sequence: 1, at: 1 }, entries: [] }],
  ])('%s: its reader is told so, and gets no torn answer', async (_by, after) => {
    const { read } = await follow([() => Promise.resolve(before), () => Promise.resolve(after)]);
    const outcome = expect(read).rejects.toMatchObject({ code: 'log_rewound' });
    await pass(5_000);
    await outcome;
  });

  test.each<[string, JobView]>([
    [
      'by its writer, who sends the same again',
      { ...view, lastSequence: 4, lastAttempt: { sequence: 1, at: 1 }, entries: [end(4)] },
    ],
    [
      'by nobody: another attempt goes on behind it',
      {
        ...view,
        lastSequence: 5,
        lastAttempt: { sequence: 4, at: 2 },
        entries: [attempt(4, 2), end(5)],
      },
    ],
    ['by an earlier version, which marks no attempts', { ...view, lastSequence: 4, entries: [end(4)] }],
  ])('%s: its reader goes on', async (_by, after) => {
    const { read } = await follow([() => Promise.resolve(before), () => Promise.resolve(after)]);
    await pass(5_000);
    expect((await read).at(-1)).toBe('completed');
  });
});
