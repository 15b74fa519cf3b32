import { DelayedError, type Job } from 'bullmq';
import { laterVersion } from '../../contracts/tolerant.ts';

/** Milliseconds. */
const LOOK_AGAIN_MS = 1_000;

/**
 * A job whose data are of a later major version goes back to the queue until a worker of that version takes it, at the latest until
 * its deadline. Throws `DelayedError` for one that went back, which BullMQ does not count as a failure.
 */
export async function leaveToLaterVersion(job: Job, token: string | undefined, major: number): Promise<void> {
  const data: unknown = job.data;
  if (laterVersion(data, major) === undefined || deadlineIn(data) <= Date.now()) return;
  await job.moveToDelayed(Date.now() + LOOK_AGAIN_MS, token);
  throw new DelayedError();
}

/** One that tells none has passed: nothing else would end the waiting. */
function deadlineIn(data: unknown): number {
  const deadline = (data as { deadlineAt?: unknown } | null)?.deadlineAt;
  return typeof deadline === 'number' ? deadline : 0;
}
