import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { type BlobStore } from '../../../shared/platform/blobs/blob-store.ts';
import { type ChatRequest } from '../../../shared/contracts/chat-request.ts';
import { childTraceparent, toHeaders } from '../../../shared/contracts/cloud-event.ts';
import { type JobEvent } from '../../../shared/contracts/job-event.ts';
import { newJobId, userHash } from '../../../shared/platform/ids.ts';
import { type Caching, JOB_TYPE, type JobMessage } from '../../../shared/contracts/job-message.ts';
import { type Quote } from '../../../shared/contracts/quote.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { type FileRegistry } from '../../../shared/content/files/file-registry.ts';
import {
  type Admission,
  isOpen,
  type JobLog,
  type JobState,
  type NewJob,
} from '../../../shared/jobs/joblog/job-log.ts';
import { type HookName } from '../../../shared/contracts/hook-names.ts';
import { type KeptJobs } from '../../../shared/jobs/joblog/kept-jobs.ts';
import { createOriginals, type Originals } from '../../../shared/jobs/joblog/originals.ts';
import { type Producer } from '../../../shared/platform/kafka/port.ts';
import { SendError } from '../../../shared/platform/kafka/send-error.ts';
import { type Logger } from '../../../shared/platform/log/logger.ts';
import { type Principal } from '../../../shared/policy/access/principal.ts';
import { turnOfUser } from '../http/authenticated.ts';
import { type BodyWork, type BodyWorkOf } from '../bodies/body-work.ts';
import { cachingOf, type SamplingPolicy } from './caching.ts';
import { composeMessage, type DescribedJob } from './compose-message.ts';
import { type AdmissionControl, type AdmissionRequest, type Reserved } from './admission-control.ts';
import { createMeasureEntrant, type MeasureEntrant } from './measure-entrant.ts';
import { type RequestControls } from '../http/request-controls.ts';
import { storing } from '../http/storing.ts';
import { takeDocuments, type TakenDocuments } from '../documents/take-documents.ts';

export interface Submission {
  caller: Pick<Principal, 'user' | 'groups'>;
  request: ChatRequest;
  /** How the assistant is selected. Undefined: no assistant answers. */
  assistant?: JobMessage['assistant'];
  controls: RequestControls;
  traceparent: string | undefined;
  /** The value whose hash is compared when the idempotency key is reused; default: the request. */
  asked?: unknown;
  /** A background job: it continues without readers. */
  background?: boolean;
  /** Whether a history that is too long may be shortened. Undefined: the operator's setting applies. */
  truncation?: JobMessage['truncation'];
  /** Whether the answer may be stored. `false` also excludes it from the cache. */
  store?: boolean | null | undefined;
  /** False if no reader in this process waits for the answer; default: true. */
  followed?: boolean;
  /** Receives the rate-limit headers to return to the client. */
  tell: (headers: Readonly<Record<string, string>>) => void;
  /** The completion hooks to run when the job ends, besides metrics. */
  hookNames?: readonly HookName[];
  /** Builds the stored form of the client's request from the job's id, for later reads. */
  original?: (jobId: string) => object;
}

/** A job with a record. It does not run before it is published. */
export interface AdmittedJob extends DescribedJob {
  /** No other request created this job before: its log is empty. */
  fresh: boolean;
  /** Milliseconds since the epoch: when the job was first requested. */
  createdAt: number;
  /** The stored events, if the job ended so long ago that only this copy is left and its log cannot be followed. */
  kept: readonly JobEvent[] | undefined;
  /**
   * Publishes the job. Once this resolves, the job is accepted: it runs to an end even if processes crash. Waits for Kafka until
   * the job's deadline, at most `LONGEST_PUBLISH_MS`. Throws `queue_unavailable` when the job certainly does not run,
   * `body_too_large` when Kafka will never take the message, and `store_unavailable` when the outcome is unknown. `signal` aborts
   * when the client disconnects; then a job that no client can return to is given up.
   */
  publish(signal?: AbortSignal): Promise<void>;
}

export interface AdmissionService {
  /**
   * Throws `invalid_value`, `file_not_found` and similar errors before anything is recorded, the errors of
   * `AdmissionControl.enter`, `idempotency_conflict` and `store_unavailable`.
   */
  admit(submission: Submission): Promise<AdmittedJob>;
}

export interface AdmissionDeps {
  jobLog: JobLog;
  blobs: BlobStore;
  files: Pick<FileRegistry, 'find'>;
  producer: Producer;
  topic: string;
  secret: string;
  /** The channel on which this process receives the job's events. */
  reader: string;
  /** Which answers may come from the cache. */
  sampling: SamplingPolicy;
  admissionControl: AdmissionControl;
  /** The stored answers, which outlive the records of their jobs. */
  kept: Pick<KeptJobs, 'find'>;
  /** Parses, validates and serialises request bodies. */
  bodies: BodyWorkOf;
  log: Logger;
}

type Deps = AdmissionDeps & { originals: Originals; measure: MeasureEntrant };

/**
 * How long a request waits for Kafka: long enough for a broker restart. A stream sends nothing before its job is accepted, so
 * this stays below the 60 s after which load balancers close idle connections. Milliseconds.
 */
const LONGEST_PUBLISH_MS = 30_000;
/** How often a request checks a job that another request is still publishing. Milliseconds. */
const LOOK_MS = 250;
const RETRY_AFTER_S = 2;
/**
 * A client that sent an idempotency key can return to its job within this time. Without a key the job ends with its connection.
 * Milliseconds.
 */
const RECONNECT_GRACE_MS = 30_000;

/**
 * unknown -> admitting (record) -> published (Kafka acknowledged) = accepted
 *                              \-> unsettled (no acknowledgement) -> refused | accepted (by the router, or by the
 *                                  acknowledgement of another request)
 *
 * The record is created first, so that no reader meets a job without one, and so that one compare-and-set settles a publication
 * with an unknown outcome. `queue_unavailable` therefore guarantees that the job does not run.
 */
export function createAdmissionService(options: AdmissionDeps): AdmissionService {
  const deps: Deps = { ...options, originals: createOriginals(options), measure: createMeasureEntrant() };
  return {
    admit: async (submission) => {
      const { job, original } = await describe(deps, submission);
      const kept = await keptBefore(deps, job);
      if (kept) return { ...job, ...kept, fresh: false, publish: () => Promise.resolve() };
      const findFile = (id: string) => deps.files.find(submission.caller.user, id);
      const taken = await takeDocuments(submission.request, findFile, (document) =>
        deps.bodies(turnOfUser(job.user)).decode(document),
      ).catch((error: unknown) => takenBefore(deps, job, submission, error));
      const measure = deps.measure(submission.caller.user, taken);
      const storedBytes = job.hookNames.includes('keep') ? (original?.byteLength ?? 0) : undefined;
      const entered = await enter(deps, job, { submission, taken, measure, storedBytes });
      const publisher = randomBytes(6).toString('hex');
      const admission = await admit(deps, { ...job, publisher }, submission).catch(async (error: unknown) => {
        if (entered) await leaveUnlessOpen(deps, job);
        throw error;
      });
      const fresh = admission.kind === 'new';
      const open = fresh || admission.state === 'admitting';
      const createdAt = fresh ? job.acceptedAt : admission.createdAt;
      if (entered && !fresh && !isOpen(admission.state)) await deps.admissionControl.leave(job);
      if (entered?.reserved && open) await confirm(deps, job);
      return {
        ...job,
        fresh,
        createdAt,
        kept: undefined,
        publish: async (signal) => {
          if (!open) return;
          const caching = await cachingFor(deps, taken, submission);
          const { traceparent } = submission;
          const cost = { promptTokens: await measure.exact(), quote: await quoteFor(deps, job, entered) };
          const abandoned = isRecoverable(submission) ? undefined : signal;
          const outgoing = { taken, original, traceparent, publisher, signal: abandoned };
          await publish(deps, { ...outgoing, job: { ...job, ...cost, caching, acceptedAt: createdAt } });
        },
      };
    },
  };
}

/**
 * Finds the stored answer of a job whose record has expired. An idempotency key is valid for as long as its answer is stored;
 * otherwise the model would be called again under the same job id. Throws `idempotency_conflict`.
 */
async function keptBefore(
  { jobLog, kept }: Deps,
  { jobId, user, bodyHash, hookNames }: DescribedJob,
): Promise<{ createdAt: number; kept: readonly JobEvent[] } | undefined> {
  if (bodyHash === '' || !hookNames.includes('keep')) return undefined;
  const found = await storing(() => kept.find(jobId));
  if (!found || (await storing(() => jobLog.bodyHash(jobId))) !== undefined) return undefined;
  if (found.owner !== user || found.bodyHash !== bodyHash) throw conflict();
  return { createdAt: found.createdAt, kept: found.events };
}

function conflict(): TurnoutError {
  return new TurnoutError('idempotency_conflict', { param: 'Idempotency-Key' });
}

/** A repeated request finds its job even if one of its files was deleted since: the job already has its documents. */
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

/** Passes admission control. Returns undefined for a repetition of an existing job, which needs no slot of its own. */
async function enter(
  { admissionControl, jobLog }: Deps,
  job: DescribedJob,
  {
    submission,
    taken,
    measure,
    storedBytes,
  }: { submission: Submission; taken: TakenDocuments } & Pick<AdmissionRequest, 'measure' | 'storedBytes'>,
): Promise<Reserved | undefined> {
  if (job.bodyHash !== '') {
    const [standing] = await storing(() => jobLog.standings([job.jobId]));
    if (standing && standing.state !== 'missing' && standing.state !== 'refused') return undefined;
  }
  const { jobId, userHash, deadlineAt, model, assistant, truncation } = job;
  const { caller, controls, tell } = submission;
  return admissionControl.enter({
    jobId,
    userHash,
    deadlineAt,
    model,
    assistant,
    truncation,
    caller,
    tell,
    taken,
    measure,
    storedBytes,
    priority: controls.priority,
    returning: controls.returning,
  });
}

/** An unconfirmed reservation expires after a minute. The budget then does not count this job until it ends. */
async function confirm({ admissionControl, log }: Deps, job: DescribedJob): Promise<void> {
  await admissionControl.confirm(job).catch((error: unknown) => {
    log.warn(
      { err: error, jobId: job.jobId },
      'Could not confirm a budget reservation; it expires in a minute',
    );
  });
}

async function quoteFor(
  { admissionControl }: Deps,
  job: DescribedJob,
  reserved: Reserved | undefined,
): Promise<Quote> {
  const { user, groups } = job;
  const { prices } = await admissionControl.quote({ ...job, caller: { user, groups } });
  return { prices, ...(reserved?.cost === undefined ? {} : { reserved: reserved.cost }) };
}

/** `original`: the complete stored form of the request as JSON, which may be too large for the record. */
async function describe(
  { jobLog, secret, originals, bodies: bodiesOf }: Deps,
  { caller, request, controls, asked = request, hookNames = [], ...submission }: Submission,
): Promise<{ job: DescribedJob; original: Uint8Array | undefined }> {
  const acceptedAt = jobLog.now();
  const { user, groups } = caller;
  const bodies = bodiesOf(turnOfUser(user));
  const jobId = newJobId(secret, user, controls.idempotencyKey);
  const kept = submission.original?.(jobId);
  const original = kept && (await bodies.serialise(kept));
  const job = {
    jobId,
    user,
    userHash: userHash(secret, user),
    groups: [...groups],
    model: request.model,
    assistant: submission.assistant,
    acceptedAt,
    deadlineAt: acceptedAt + controls.deadlineMs,
    bodyHash: controls.idempotencyKey === undefined ? '' : await hashOf(bodies, asked, controls),
    hookNames,
    original: originals.mark(original),
    truncation: submission.truncation,
    priority: controls.priority,
  };
  return { job, original };
}

/** The assistant header is part of the request's identity. Without the header, the hash covers only the body. */
function hashOf(bodies: BodyWork, asked: unknown, { assistant }: RequestControls): Promise<string> {
  return bodies.hash(assistant === undefined ? asked : [asked, assistant]);
}

async function admit(
  deps: Deps,
  { user, ...job }: DescribedJob & Pick<NewJob, 'publisher'>,
  { controls, background = false, followed = true }: Submission,
): Promise<Admission> {
  const graceMs = controls.idempotencyKey === undefined ? 0 : RECONNECT_GRACE_MS;
  const record: NewJob = {
    ...job,
    owner: user,
    reader: followed ? deps.reader : '',
    graceMs: background ? undefined : graceMs,
  };
  const admission = await deps.jobLog.admit(record).catch((error: unknown) => {
    throw new TurnoutError('store_unavailable', { cause: error, retryAfterS: RETRY_AFTER_S });
  });
  if (admission.kind === 'exists' && (admission.bodyHash !== job.bodyHash || admission.owner !== user))
    throw conflict();
  return admission;
}

function cachingFor(
  { sampling: policy, bodies }: Deps,
  { request }: TakenDocuments,
  { caller, controls, store }: Submission,
): Promise<Caching> {
  const fingerprint = (asked: ChatRequest) => bodies(turnOfUser(caller.user)).fingerprint(asked);
  return cachingOf(request, controls.cacheControl, { store, policy, fingerprint });
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

/** The client can return to the job later, or never waits for it. */
function isRecoverable({ controls, background = false }: Submission): boolean {
  return background || controls.idempotencyKey !== undefined;
}

/**
 * Releases the slot and the reservation unless the job is open. They belong to the job, not to the request that took them:
 * another request with the same key may have started the job. If the record cannot be read they stay, at most until the job's
 * deadline.
 */
async function leaveUnlessOpen({ admissionControl, jobLog, log }: Deps, job: DescribedJob): Promise<void> {
  const { jobId } = job;
  try {
    const [standing] = await jobLog.standings([jobId]);
    if (standing && !isOpen(standing.state)) await admissionControl.leave(job);
  } catch (error) {
    log.warn(
      { err: error, jobId },
      'Could not check a job that was not admitted; its slot may stay taken until its deadline',
    );
  }
}

async function publish(deps: Deps, outgoing: Outgoing): Promise<void> {
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
async function settle(deps: Deps, { job, publisher, signal }: Outgoing, cause: unknown): Promise<void> {
  const { jobLog, admissionControl } = deps;
  const { jobId } = job;
  const state = await jobLog.refuse(jobId, publisher).catch((error: unknown) => {
    throw new TurnoutError('store_unavailable', { cause: error, retryAfterS: RETRY_AFTER_S });
  });
  if (state === 'refused' || state === 'missing') {
    await admissionControl.leave(job);
    throw notQueued(cause);
  }
  if (state === 'admitting') await awaitOthers(deps, job, { cause, signal });
}

/** Waits until another request that publishes the same job settles it. */
async function awaitOthers(
  { jobLog }: Deps,
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
      retryAfterS: RETRY_AFTER_S,
      cause,
    });
}

function notQueued(cause: unknown): TurnoutError {
  if (cause instanceof SendError && cause.kind === 'too_large')
    return new TurnoutError('body_too_large', { cause });
  return new TurnoutError('queue_unavailable', { cause, retryAfterS: RETRY_AFTER_S });
}
