import { setTimeout as delay } from 'node:timers/promises';
import { childTraceparent, toHeaders } from '../../../shared/contracts/cloud-event.ts';
import { JOB_TYPE, type JobMessage } from '../../../shared/contracts/job-message.ts';
import { isOpen, type JobLog, type JobState } from '../../../shared/jobs/joblog/job-log.ts';
import { type Originals } from '../../../shared/jobs/joblog/originals.ts';
import { type BlobStore } from '../../../shared/platform/blobs/blob-store.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { type Producer } from '../../../shared/platform/kafka/port.ts';
import { SendError } from '../../../shared/platform/kafka/send-error.ts';
import { type Logger } from '../../../shared/platform/log/logger.ts';
import { type BodyWorkOf } from '../bodies/body-work.ts';
import { type TakenDocuments } from '../documents/take-documents.ts';
import { turnOfUser } from '../http/authenticated.ts';
import { STORE_RETRY_AFTER_S, storing } from '../http/storing.ts';
import { type AdmissionControl } from './admission-control.ts';
import { composeMessage, type DescribedJob } from './compose-message.ts';

/**
 * How long a request waits for Kafka: long enough for a broker restart. A stream sends nothing before its job is accepted, so
 * this stays below the 60 s after which load balancers close idle connections. Milliseconds.
 */
const LONGEST_PUBLISH_MS = 30_000;
/** How often a request checks a job that another request is still publishing. Milliseconds. */
const LOOK_MS = 250;

export interface PublishDeps {
  jobLog: JobLog;
  blobs: BlobStore;
  originals: Originals;
  producer: Producer;
  topic: string;
  admissionControl: Pick<AdmissionControl, 'leave'>;
  bodies: BodyWorkOf;
  log: Logger;
}

interface Outgoing {
  job: DescribedJob & Pick<JobMessage, 'caching' | 'promptTokens' | 'quote'>;
  taken: TakenDocuments;
  original: Uint8Array | undefined;
  traceparent: string | undefined;
  /** Identifies this request among those that publish the same job. */
  publisher: string;
  signal: AbortSignal | undefined;
}

/**
 * Publishes an admitted job (`createAdmissionService` has the states). Resolves when the job is accepted; its errors are those of
 * `AdmittedJob.publish`.
 */
export async function publishJob(deps: PublishDeps, outgoing: Outgoing): Promise<void> {
  const { job, taken, original, traceparent, signal } = outgoing;
  const { jobId } = job;
  // The producer measures deadlines by this process's own clock.
  const deadlineAt = Date.now() + Math.min(job.deadlineAt - deps.jobLog.now(), LONGEST_PUBLISH_MS);
  const context = childTraceparent(traceparent);
  const headers = toHeaders({ id: jobId, type: JOB_TYPE, source: 'ingress', traceparent: context });
  try {
    if (original !== undefined) await deps.originals.put(jobId, original);
    const value = JSON.stringify(
      await composeMessage({ blobs: deps.blobs, bodies: deps.bodies(turnOfUser(job.user)) }, job, taken),
    );
    const message = { topic: deps.topic, key: job.user, value, headers };
    await deps.producer.send(message, { deadlineAt, ...(signal ? { signal } : {}) });
  } catch (error) {
    deps.log.warn({ err: error, jobId }, 'Could not publish a job');
    await settle(deps, outgoing, error);
  }
}

/** Resolves when the job runs after all. If several requests publish the same job, only the last one that fails refuses it. */
async function settle(
  deps: PublishDeps,
  { job, publisher, signal }: Outgoing,
  cause: unknown,
): Promise<void> {
  const { jobLog } = deps;
  const { jobId } = job;
  const state = await storing(() => jobLog.refuse(jobId, publisher));
  if (state === 'refused' || state === 'missing') {
    await releaseUnlessOpen(deps, job, state);
    throw notQueued(cause);
  }
  if (state === 'admitting') await awaitOthers(deps, job, { cause, signal });
}

/** Waits until another request that publishes the same job settles it. */
async function awaitOthers(
  { jobLog }: PublishDeps,
  { jobId, deadlineAt }: DescribedJob,
  { cause, signal }: { cause: unknown; signal: AbortSignal | undefined },
): Promise<void> {
  const until = Math.min(deadlineAt, jobLog.now() + LONGEST_PUBLISH_MS);
  let state: JobState | 'missing' = 'admitting';
  while (state === 'admitting' && jobLog.now() < until && signal?.aborted !== true) {
    await delay(LOOK_MS);
    const [standing] = await storing(() => jobLog.standings([jobId]));
    state = standing?.state ?? 'missing';
  }
  if (state === 'refused' || state === 'missing') throw notQueued(cause);
  if (state === 'admitting')
    throw new TurnoutError('store_unavailable', {
      message:
        'Another request with this Idempotency-Key is still being queued. Try again with the same key; the job runs only once.',
      retryAfterS: STORE_RETRY_AFTER_S,
      cause,
    });
}

function notQueued(cause: unknown): TurnoutError {
  if (cause instanceof SendError && cause.kind === 'too_large')
    return new TurnoutError('body_too_large', { cause });
  return new TurnoutError('queue_unavailable', { cause, retryAfterS: STORE_RETRY_AFTER_S });
}

/**
 * Releases the slot and the reservation unless the job is open. They belong to the job, not to the request that took them:
 * another request with the same key may have started the job. If the record cannot be read they stay, at most until the job's
 * deadline. `known`: the job's state if the caller has just read it.
 */
export async function releaseUnlessOpen(
  { admissionControl, jobLog, log }: Pick<PublishDeps, 'admissionControl' | 'jobLog' | 'log'>,
  job: DescribedJob,
  known?: JobState | 'missing',
): Promise<void> {
  const { jobId } = job;
  try {
    const state = known ?? (await jobLog.standings([jobId]))[0]?.state;
    if (state !== undefined && !isOpen(state)) await admissionControl.leave(job);
  } catch (error) {
    log.warn(
      { err: error, jobId },
      'Could not check a job that was not admitted; its slot may stay taken until its deadline',
    );
  }
}
