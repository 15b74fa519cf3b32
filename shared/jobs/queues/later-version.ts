import { DelayedError, type Job } from 'bullmq';
import { laterVersion } from '../../contracts/tolerant.ts';

/** Milliseconds. */
const LOOK_AGAIN_MS = 1_000;

/**
 * Puts a job whose data has a later major version back into the queue, until a worker of that version takes it or its deadline passes.
 * Throws `DelayedError` for such a job; BullMQ does not count it as a failure.
 */
export async function leaveToLaterVersion(job: Job, token: string | undefined, major: number): Promise<void> {
  const data: unknown = job.data;
  if (laterVersion(data, major) === undefined || deadlineIn(data) <= Date.now()) return;
  await job.moveToDelayed(Date.now() + LOOK_AGAIN_MS, token);
  throw new DelayedError();
}

/** A missing deadline counts as passed, since nothing else would end the wait. */
function deadlineIn(data: unknown): number {
  const deadline = (data as { deadlineAt?: unknown } | null)?.deadlineAt;
  return typeof deadline === 'number' ? deadline : 0;
}
