import { expect, test } from '@jest/globals';
import { type CancelledBy } from '../../../shared/contracts/job-event.ts';
import { AttemptOver } from '../call/attempt-writer.ts';
import { CancelRequested, createHeldJobs, HandedOver } from './held-jobs.ts';

/** Held jobs whose cancellations the test triggers by hand. */
function setUp() {
  const watchers = new Map<string, (by: CancelledBy) => void>();
  const held = createHeldJobs({
    channel: 'c',
    watch: (jobId, onCancel) => {
      watchers.set(jobId, onCancel);
      return () => watchers.delete(jobId);
    },
    close: () => Promise.resolve(),
  });
  return { held, cancel: (jobId: string) => watchers.get(jobId)?.('client'), watched: () => watchers.size };
}

test('a stopping process hands over its running jobs and every job it still takes', () => {
  const { held } = setUp();
  const before = held.hold('a');
  held.handOver();
  expect(before.signal.reason).toBeInstanceOf(HandedOver);
  expect(held.hold('b').signal.reason).toBeInstanceOf(HandedOver);
});

test('a job that was cancelled before the handover stays cancelled', () => {
  const { held, cancel } = setUp();
  const job = held.hold('a');
  cancel('a');
  held.handOver();
  expect(job.signal.reason).toBeInstanceOf(CancelRequested);
});

test('a released job is not aborted and leaves no watcher behind', () => {
  const { held, watched } = setUp();
  const job = held.hold('a');
  job.release();
  held.handOver();
  expect(job.signal.aborted).toBe(false);
  expect(watched()).toBe(0);
});

test("a job record that is cancelled or ended aborts only that job's attempt", () => {
  const { held } = setUp();
  const [cancelled, ended, running] = [held.hold('a'), held.hold('b'), held.hold('c')];
  held.heed([
    { jobId: 'a', state: 'running', cancel: 'client' },
    { jobId: 'b', state: 'failed', cancel: undefined },
    { jobId: 'c', state: 'running', cancel: undefined },
    { jobId: 'd', state: 'missing', cancel: undefined },
  ]);
  expect(cancelled.signal.reason).toEqual(new CancelRequested('client'));
  expect(ended.signal.reason).toEqual(new AttemptOver('failed'));
  expect(running.signal.aborted).toBe(false);
});
