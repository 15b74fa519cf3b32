import { setTimeout as delay } from 'node:timers/promises';
import { type JobLog, type JobState } from '../../shared/jobs/joblog/job-log.ts';
import { CommandFailed, type OperatorContext } from '../context.ts';
import { needing, withStores } from '../stores.ts';
import { readRecord } from './read-record.ts';
import { unknownJob } from './show-job.ts';

/** A worker ends its job within milliseconds. A job without a worker is ended by the sweep some seconds later. */
const TIMEOUT_MS = 15_000;
const LOOK_EVERY_MS = 50;

/** Prints one line for each job. Throws `CommandFailed` if any of them was not cancelled. */
export async function cancelJobs(
  { settings, print }: OperatorContext,
  ids: readonly string[],
): Promise<void> {
  const results = await withStores(settings(), ({ jobLog, addresses }) =>
    needing(addresses.redis, Promise.all(ids.map((id) => cancelOne(jobLog, id)))),
  );
  for (const [at, { text }] of results.entries()) print(`${ids[at] ?? ''}  ${text}`);
  const refused = results.filter(({ done }) => !done).length;
  if (refused > 0) throw new CommandFailed(`${refused} of ${ids.length} were not cancelled.`);
}

/**
 * Only requests the cancellation. The worker that holds the job's fence ends the job, or else the sweep does, so that the job's
 * "Request completed" line appears in a service's log.
 */
async function cancelOne(jobLog: JobLog, id: string): Promise<{ done: boolean; text: string }> {
  const before = await jobLog.cancel(id, 'operator');
  if (before === 'missing') return { done: false, text: unknownJob(id) };
  if (isOver(before)) return { done: false, text: `had already ended: ${before}` };
  const until = Date.now() + TIMEOUT_MS;
  for (;;) {
    const state = (await readRecord(jobLog, id))?.state;
    if (state === undefined || isOver(state)) return { done: state === 'cancelled', text: state ?? 'gone' };
    if (Date.now() > until)
      return { done: false, text: `${state}: cancellation requested, but the job has not ended yet` };
    await delay(LOOK_EVERY_MS);
  }
}

function isOver(state: JobState): boolean {
  return state !== 'admitting' && state !== 'queued' && state !== 'running';
}
