import { describe, expect, test } from '@jest/globals';
import { type Backend } from '../../contracts/decision.ts';
import { type JobEvent } from '../../contracts/job-event.ts';
import { TurnoutError } from '../../platform/errors/turnout-error.ts';
import { silentLogger } from '../../platform/log/logger.ts';
import { type Ending, endUnfenced, toOutcome } from './ending.ts';
import { type JobLog, type JobView } from './job-log.ts';

const FAILED: Ending = { status: 'failed', error: new TurnoutError('upstream_failed') };
const COMPLETED: Ending = { status: 'completed' };

function attempt(path: Backend, attempt = 1): JobEvent {
  return { type: 'attempt', at: 1, attempt, path };
}

function retry(path: Backend, call = 2): JobEvent {
  return {
    type: 'retry',
    at: 1,
    attempt: 1,
    call,
    path,
    model: 'm',
    plan: 'start',
    after: 'upstream_stalled',
  };
}

function pathFailure(path: Backend, events: JobEvent[], ending: Ending) {
  const decision = { path, reason: 'percentage', epoch: 1, step: 1 } as const;
  const job = { jobId: 'job_1', userHash: 'u', model: 'm', acceptedAt: 0, attempts: 1, decision };
  return toOutcome(job, events, ending, 10).pathFailure;
}

describe('the outcome reports a failure of the decided backend', () => {
  test('when the other backend answered', () => {
    expect(
      pathFailure('litellm', [attempt('litellm'), retry('litellm'), retry('legacy', 3)], COMPLETED),
    ).toEqual({
      error: 'upstream_stalled',
      fallback: 'answered',
    });
  });

  test('when both backends failed', () => {
    expect(pathFailure('litellm', [attempt('litellm'), retry('legacy')], FAILED)).toEqual({
      error: 'upstream_stalled',
      fallback: 'failed',
    });
  });

  test('when there was no fallback', () => {
    expect(pathFailure('legacy', [attempt('legacy')], FAILED)).toEqual({
      error: 'upstream_failed',
      fallback: 'none',
    });
  });
});

describe('the outcome reports no failure of the decided backend', () => {
  test('when a retry on the same backend answered', () => {
    expect(pathFailure('litellm', [attempt('litellm'), retry('litellm')], COMPLETED)).toBeUndefined();
  });

  test('when the job moved to the other backend before its first call', () => {
    expect(pathFailure('litellm', [attempt('legacy')], FAILED)).toBeUndefined();
    expect(pathFailure('litellm', [attempt('litellm'), attempt('legacy', 2)], FAILED)).toBeUndefined();
  });

  test('when the job was cancelled', () => {
    const cancelled = { status: 'cancelled', by: 'client' } as const;
    expect(pathFailure('litellm', [attempt('litellm'), retry('legacy')], cancelled)).toBeUndefined();
  });
});

describe('the stages of a job', () => {
  const routed = (detailed: boolean): JobEvent => ({
    type: 'routed',
    at: 30,
    path: 'litellm',
    reason: 'percentage',
    epoch: 1,
    step: 1,
    promptTokens: 0,
    ...(detailed ? { detailed } : {}),
  });
  const begun: JobEvent = { type: 'attempt', at: 100, attempt: 1, path: 'litellm' };
  const token: JobEvent = { type: 'text', at: 180, choice: 0, delta: 'a' };
  const stages = (events: JobEvent[]) => {
    const job = { jobId: 'job_1', userHash: 'u', model: 'm', acceptedAt: 20, attempts: 1 };
    return toOutcome(job, events, COMPLETED, 400).stages;
  };

  test('are consecutive for a sampled job', () => {
    expect(stages([routed(true), begun, token])).toEqual({
      routing: 10,
      context: 70,
      model: 80,
      answer: 220,
    });
  });

  test('are absent for a job that was not sampled', () => {
    expect(stages([routed(false), begun, token])).toBeUndefined();
  });

  test('stop at the stage in which the job ended', () => {
    expect(stages([routed(true), begun])).toEqual({ routing: 10, context: 70 });
  });

  test('count from the first attempt, so the time of a lost attempt counts as waiting for the model', () => {
    const again: JobEvent = { ...begun, at: 150, attempt: 2 };
    expect(stages([routed(true), begun, again, token])).toMatchObject({ context: 70, model: 80 });
  });
});

test('the usage of the model call that selects the assistant is separate from the usage of the answer', () => {
  const usage = { prompt_tokens: 90, completion_tokens: 1, total_tokens: 91 };
  const routed: JobEvent = {
    type: 'routed',
    at: 1,
    path: 'legacy',
    reason: 'percentage',
    epoch: 1,
    step: 1,
    promptTokens: 4,
    call: { ms: 300, source: 'reported', usage },
  };
  const job = { jobId: 'job_1', userHash: 'u', model: 'm', acceptedAt: 0, attempts: 1 };
  expect(toOutcome(job, [routed, attempt('legacy')], COMPLETED, 10)).toMatchObject({
    usage: [],
    routingUsage: { id: 'job_1.0.0.1', source: 'reported', tokens: usage },
  });
});

test('a process that ends a job without its fence relays the outcome at once, which frees the slot', async () => {
  const view: JobView = {
    state: 'queued',
    owner: 'ada',
    lastSequence: 1,
    deadlineAt: 9,
    createdAt: 1,
    userHash: 'u',
    model: 'm',
    entries: [{ sequence: 1, event: { type: 'accepted', at: 1, model: 'm' } }],
  };
  const jobLog = {
    now: Date.now,
    read: () => Promise.resolve(view),
    finish: () => Promise.resolve({ kind: 'finished', outboxRow: '7-0', lastSequence: 2, hookNames: [] }),
  } as Partial<JobLog> as JobLog;
  const begun: unknown[] = [];
  const relays = { begin: (row: unknown) => void begun.push(row) };
  await endUnfenced({ jobLog, relays, log: silentLogger }, 'job_1', FAILED);
  expect(begun).toEqual([
    { row: '7-0', outcome: expect.objectContaining({ jobId: 'job_1', status: 'failed' }), hookNames: [] },
  ]);
});
