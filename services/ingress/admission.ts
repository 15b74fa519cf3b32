import { createHash } from 'node:crypto';
import { type BlobStore } from '../../shared/blobs/blob-store.ts';
import { type ChatRequest } from '../../shared/contracts/chat-request.ts';
import { childTraceparent, toHeaders } from '../../shared/contracts/cloud-event.ts';
import { newJobId, userHash } from '../../shared/contracts/ids.ts';
import { type Document, JOB_TYPE, type JobMessage } from '../../shared/contracts/job-message.ts';
import { TurnoutError } from '../../shared/errors/turnout-error.ts';
import { type Admission, type JobLog } from '../../shared/joblog/job-log.ts';
import { type Producer } from '../../shared/kafka/port.ts';
import { type Logger } from '../../shared/log/logger.ts';
import { type RequestControls } from './request-controls.ts';
import { takeDocuments, type TakenDocument } from './take-documents.ts';

export interface Submission {
  user: string;
  request: ChatRequest;
  controls: RequestControls;
  traceparent: string | undefined;
}

export interface AcceptedJob {
  jobId: string;
  acceptedAt: number;
  deadlineAt: number;
}

/** Takes a request in: when `accept` resolves, the job runs to an end, whatever dies. */
export interface AdmissionDesk {
  accept(submission: Submission): Promise<AcceptedJob>;
}

export interface AdmissionDeps {
  jobLog: JobLog;
  blobs: BlobStore;
  producer: Producer;
  topic: string;
  secret: string;
  /** The channel by which this process hears of the job. */
  reader: string;
  log: Logger;
}

/** A message over this size goes by claim check. */
const INLINE_BYTES = 256 * 1024;
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
    accept: async (submission) => {
      const job = describe(submission, deps.secret);
      const admission = await admit(deps, job, submission);
      const open = admission.kind === 'new' || admission.state === 'admitting';
      if (open) await publish(deps, await toMessage(deps.blobs, job, submission), submission.traceparent);
      return job;
    },
  };
}

interface DescribedJob extends AcceptedJob {
  userHash: string;
}

function describe({ user, controls }: Submission, secret: string): DescribedJob {
  const acceptedAt = Date.now();
  return {
    jobId: newJobId(secret, user, controls.idempotencyKey),
    userHash: userHash(secret, user),
    acceptedAt,
    deadlineAt: acceptedAt + controls.deadlineMs,
  };
}

async function admit(
  deps: AdmissionDeps,
  job: DescribedJob,
  { user, request, controls }: Submission,
): Promise<Admission> {
  // Without a key the id is random: nothing can be found under it, and there is no body to compare.
  const bodyHash = controls.idempotencyKey === undefined ? '' : sha256(JSON.stringify(request));
  const record = {
    jobId: job.jobId,
    owner: user,
    userHash: job.userHash,
    model: request.model,
    bodyHash,
    deadlineAt: job.deadlineAt,
    reader: deps.reader,
    patienceMs: controls.idempotencyKey === undefined ? 0 : RECONNECT_PATIENCE_MS,
  };
  const admission = await deps.jobLog.admit(record).catch((error: unknown) => {
    throw new TurnoutError('store_unavailable', { cause: error, retryAfterS: RETRY_AFTER_S });
  });
  const conflict =
    admission.kind === 'exists' && (admission.bodyHash !== bodyHash || admission.owner !== user);
  if (conflict) throw new TurnoutError('idempotency_conflict', { param: 'Idempotency-Key' });
  return admission;
}

async function toMessage(
  blobs: BlobStore,
  job: DescribedJob,
  { user, request }: Submission,
): Promise<JobMessage> {
  const taken = takeDocuments(request);
  const folder = `jobs/${job.jobId}`;
  const documentBytes = taken.documents.reduce((sum, { text }) => sum + bytesInMessage(text), 0);
  const documents = await Promise.all(
    taken.documents.map((document) => toDocument(blobs, folder, document, documentBytes > INLINE_BYTES)),
  );
  const body = JSON.stringify(taken.request);
  const inline = Buffer.byteLength(body) <= INLINE_BYTES;
  return {
    version: 1,
    jobId: job.jobId,
    user,
    userHash: job.userHash,
    model: request.model,
    question: taken.question.slice(0, MAX_QUESTION),
    request: inline ? { kind: 'inline', request: taken.request } : await blobs.put(`${folder}/request`, body),
    documents,
    acceptedAt: job.acceptedAt,
    deadlineAt: job.deadlineAt,
  };
}

/** What a text adds to a message: escapes and UTF-8 make up to six bytes of a character. What is too long anyway is not measured. */
function bytesInMessage(text: string): number {
  return text.length > INLINE_BYTES ? text.length : Buffer.byteLength(JSON.stringify(text));
}

/** Characters of the last user message that passages are chosen by. */
const MAX_QUESTION = 8_000;

async function toDocument(
  blobs: BlobStore,
  folder: string,
  { index, name, mediaType, text }: TakenDocument,
  large: boolean,
): Promise<Document> {
  const content = large
    ? await blobs.put(`${folder}/document-${index}`, text)
    : ({ kind: 'inline', text } as const);
  return { index, name, mediaType, content };
}

async function publish(
  deps: AdmissionDeps,
  message: JobMessage,
  traceparent: string | undefined,
): Promise<void> {
  const { jobId, user } = message;
  const headers = toHeaders({
    id: jobId,
    type: JOB_TYPE,
    source: 'ingress',
    traceparent: childTraceparent(traceparent),
  });
  try {
    await deps.producer.send({ topic: deps.topic, key: user, value: JSON.stringify(message), headers });
  } catch (error) {
    deps.log.warn({ err: error, jobId }, 'Kafka did not acknowledge a job');
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
