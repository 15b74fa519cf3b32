import { type JobLog, type JobView } from '../../shared/jobs/joblog/job-log.ts';

/** A job's record without the events of its log. */
export function readRecord(jobLog: JobLog, jobId: string): Promise<JobView | undefined> {
  return jobLog.read(jobId, Number.MAX_SAFE_INTEGER);
}
