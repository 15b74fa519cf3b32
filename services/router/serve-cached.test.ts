import { expect, jest, test } from '@jest/globals';
import { type JobLog } from '../../shared/jobs/joblog/job-log.ts';
import { type Relays } from '../../shared/jobs/joblog/outbox.ts';
import { createLogger } from '../../shared/platform/log/logger.ts';
import { serveCached } from './serve-cached.ts';

const job = { jobId: `job_${'0'.repeat(32)}`, userHash: 'abc', acceptedAt: Date.now() };
const decision = { path: 'litellm', reason: 'percentage', epoch: 0, step: 0 } as const;
const usage = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 };
const serving: Parameters<typeof serveCached>[2] = {
  decision,
  model: 'gpt',
  first: [{ type: 'routed', at: 1, ...decision, promptTokens: 9, cache: 'hit' }],
  answer: {
    at: 500,
    version: 1,
    usage,
    cost: 0.25,
    events: [
      { type: 'text', choice: 0, delta: 'The line is clear.' },
      { type: 'choice_end', choice: 0, reason: 'stop' },
    ],
  },
};

function play(served: Awaited<ReturnType<JobLog['serve']>>) {
  const lines: string[] = [];
  const serve = jest.fn<JobLog['serve']>(() => Promise.resolve(served));
  const begin = jest.fn<Relays['begin']>();
  const log = createLogger('test', { LOG_LEVEL: 'info' }, { write: (line) => void lines.push(line) });
  return { deps: { jobLog: { serve, now: Date.now }, relays: { begin }, log }, serve, begin, lines };
}

test('the whole log is written at once, with the usage that the cache saved', async () => {
  const { deps, serve, begin } = play({
    kind: 'finished',
    outboxRow: '1-1',
    lastSequence: 5,
    hookNames: ['keep'],
  });
  expect(await serveCached(deps, job, serving)).toBe(true);
  const [jobId, events, outcome] = serve.mock.calls[0] ?? [];
  expect(jobId).toBe(job.jobId);
  expect(events?.map(({ type }) => type)).toEqual(['routed', 'cached', 'text', 'choice_end', 'completed']);
  expect(events?.[1]).toEqual({ type: 'cached', keptAt: 500, saved: usage, cost: 0.25 });
  // The job's first visible event carries its time.
  expect(events?.[2]).toMatchObject({ type: 'text', at: expect.any(Number) });
  expect(outcome).toMatchObject({
    status: 'completed',
    attempts: 0,
    usage: [],
    cached: { tokens: usage, cost: 0.25 },
  });
  expect(begin.mock.calls).toEqual([[{ row: '1-1', outcome, hookNames: ['keep'] }]]);
});

test('a job that cannot be answered from the cache is unchanged, and nothing is logged', async () => {
  const { deps, begin, lines } = play(undefined);
  expect(await serveCached(deps, job, serving)).toBe(false);
  expect(begin).not.toHaveBeenCalled();
  expect(lines).toEqual([]);
});
