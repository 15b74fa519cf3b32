import { type JobMessage } from '../../contracts/job-message.ts';
import { type JobLog } from './job-log.ts';

/**
 * Creates a lost record again from the job's message. The job runs in the background: its client has disconnected, or will retry with its
 * idempotency key.
 */
export async function admitAgain(jobLog: Pick<JobLog, 'admit'>, job: JobMessage): Promise<void> {
  const { jobId, user: owner, userHash, model, acceptedAt, deadlineAt } = job;
  const { bodyHash = '', duties: hookNames = [], original = '' } = job;
  const record = { jobId, owner, userHash, model, acceptedAt, deadlineAt, bodyHash, hookNames, original };
  await jobLog.admit({ ...record, reader: '', graceMs: undefined });
}
