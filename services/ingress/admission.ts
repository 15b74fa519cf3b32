import { createHash } from 'node:crypto';
import { type BlobStore } from '../../shared/blobs/blob-store.ts';
import { type ChatRequest } from '../../shared/contracts/chat-request.ts';
import { childTraceparent, toHeaders } from '../../shared/contracts/cloud-event.ts';
import { newJobId, userHash } from '../../shared/contracts/ids.ts';
import { JOB_TYPE } from '../../shared/contracts/job-message.ts';
import { TurnoutError } from '../../shared/errors/turnout-error.ts';
import { type FileRegistry } from '../../shared/files/file-registry.ts';
import { type Admission, type JobLog } from '../../shared/joblog/job-log.ts';
import { type Producer } from '../../shared/kafka/port.ts';
import { type Logger } from '../../shared/log/logger.ts';
import { composeMessage, type DescribedJob } from './compose-message.ts';
import { type RequestControls } from './request-controls.ts';
import { takeDocuments, type TakenDocuments } from './take-documents.ts';

export interface Submission {
  user: string;
  request: ChatRequest;
  controls: RequestControls;
  traceparent: string | undefined;
}

/** A job that has its record. Nothing runs before it is published. */
export interface AdmittedJob extends DescribedJob {
  /** No one has seen this job before: nothing stands in its log. */
  fresh: boolean;
  /**
   * When it resolves, the job is accepted: it runs to an end, whatever dies. Throws `queue_unavailable` when it certainly
   * does not run.
   */
  publish(): Promise<void>;
}

export interface AdmissionDesk {
  /** Throws `invalid_value`, `file_not_found` and the like before anything is recorded, `idempotency_conflict`, `store_unavailable`. */
  admit(submission: Submission): Promise<AdmittedJob>;
}

export interface AdmissionDeps {
  jobLog: JobLog;
  blobs: BlobStore;
  files: Pick<FileRegistry, 'find'>;
  producer: Producer;
  topic: string;
  secret: string;
  /** The channel by which this process hears of the job. */
  reader: string;
  log: Logger;
}

const RETRY_AFTER_S = 2;
/** Who sent an idempotency key can come back to his job; anyone else's dies with his connection. */
const RECONNECT_PATIENCE_MS = 30_000;

/**
 * unknown -> admitting (record) -> published (Kafka acknowledged) = accepted
 *                              \-> unsettled (no acknowledgement) -> refused | accepted (the router has it)
 *
 * The record comes first, so that a reader never meets a job that nobody knows, and so that one compare-and-set settles
 * a publication whose outcome is unknown: a 503 then is true.
 */
export function createAdmissionDesk(deps: AdmissionDeps): AdmissionDesk {
  return {
    admit: async (submission) => {
      const job = describe(submission, deps.secret);
      const findFile = (id: string) => deps.files.find(submission.user, id);
      const taken = await takeDocuments(submission.request, findFile).catch((error: unknown) =>
        takenBefore(deps, job, submission, error),
      );
      const admission = await admit(deps, job, submission);
      const fresh = admission.kind === 'new';
      const open = fresh || admission.state === 'admitting';
      return {
        ...job,
        fresh,
        publish: async () => {
          if (open) await publish(deps, job, taken, submission.traceparent);
        },
      };
    },
  };
}

/** A repetition finds its job although a file of it was deleted meanwhile: the job has its documents. */
async function takenBefore(
  { jobLog }: AdmissionDeps,
  { jobId, bodyHash }: DescribedJob,
  { request }: Submission,
  error: unknown,
): Promise<TakenDocuments> {
  const missing = error instanceof TurnoutError && error.code === 'file_not_found';
  const job = missing && bodyHash !== '' ? await jobLog.read(jobId, Number.MAX_SAFE_INTEGER) : undefined;
  if (!job || job.state === 'admitting' || job.state === 'refused') throw error;
  return { request, documents: [], question: '' };
}

function describe({ user, request, controls }: Submission, secret: string): DescribedJob {
  const acceptedAt = Date.now();
  return {
    jobId: newJobId(secret, user, controls.idempotencyKey),
    user,
    userHash: userHash(secret, user),
    model: request.model,
    acceptedAt,
    deadlineAt: acceptedAt + controls.deadlineMs,
    bodyHash: controls.idempotencyKey === undefined ? '' : sha256(JSON.stringify(request)),
  };
}

async function admit(
  deps: AdmissionDeps,
  job: DescribedJob,
  { user, request, controls }: Submission,
): Promise<Admission> {
  const record = {
    jobId: job.jobId,
    owner: user,
    userHash: job.userHash,
    model: request.model,
    bodyHash: job.bodyHash,
    deadlineAt: job.deadlineAt,
    reader: deps.reader,
    patienceMs: controls.idempotencyKey === undefined ? 0 : RECONNECT_PATIENCE_MS,
  };
  const admission = await deps.jobLog.admit(record).catch((error: unknown) => {
    throw new TurnoutError('store_unavailable', { cause: error, retryAfterS: RETRY_AFTER_S });
  });
  const conflict =
    admission.kind === 'exists' && (admission.bodyHash !== job.bodyHash || admission.owner !== user);
  if (conflict) throw new TurnoutError('idempotency_conflict', { param: 'Idempotency-Key' });
  return admission;
}

async function publish(
  deps: AdmissionDeps,
  job: DescribedJob,
  taken: TakenDocuments,
  traceparent: string | undefined,
): Promise<void> {
  const { jobId } = job;
  const context = childTraceparent(traceparent);
  const headers = toHeaders({ id: jobId, type: JOB_TYPE, source: 'ingress', traceparent: context });
  try {
    const value = JSON.stringify(await composeMessage(deps.blobs, job, taken));
    await deps.producer.send({ topic: deps.topic, key: job.user, value, headers });
  } catch (error) {
    deps.log.warn({ err: error, jobId }, 'A job could not be published');
    await settle(deps, jobId, error);
  }
}

async function settle({ jobLog }: AdmissionDeps, jobId: string, cause: unknown): Promise<void> {
  const state = await jobLog.refuse(jobId).catch((error: unknown) => {
    throw new TurnoutError('store_unavailable', { cause: error, retryAfterS: RETRY_AFTER_S });
  });
  if (state === 'refused' || state === 'missing') {
    throw new TurnoutError('queue_unavailable', { cause, retryAfterS: RETRY_AFTER_S });
  }
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
