import { type JobMessage } from '../contracts/job-message.ts';
import { type JobLog } from './job-log.ts';

/** Makes a record that is gone again, of the job's message; as a background job: whoever asked for it is gone, or comes back with a key. */
export async function admitAgain(jobLog: Pick<JobLog, 'admit'>, job: JobMessage): Promise<void> {
  const { jobId, user: owner, userHash, model, acceptedAt, deadlineAt } = job;
  const { bodyHash = '', duties = [], original = '' } = job;
  const record = { jobId, owner, userHash, model, acceptedAt, deadlineAt, bodyHash, duties, original };
  await jobLog.admit({ ...record, reader: '', patienceMs: undefined });
}
