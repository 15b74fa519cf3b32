import { randomBytes } from 'node:crypto';
import { type BlobStore } from '../../../shared/platform/blobs/blob-store.ts';
import { type ChatRequest } from '../../../shared/contracts/chat-request.ts';
import { type JobEvent } from '../../../shared/contracts/job-event.ts';
import { newJobId, userHash } from '../../../shared/platform/ids.ts';
import { type Caching, type JobMessage } from '../../../shared/contracts/job-message.ts';
import { type Quote } from '../../../shared/contracts/quote.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { type FileRegistry } from '../../../shared/content/files/file-registry.ts';
import { type Admission, type JobLog, type NewJob } from '../../../shared/jobs/joblog/job-log.ts';
import { type HookName } from '../../../shared/contracts/hook-names.ts';
import { type KeptJobs } from '../../../shared/jobs/joblog/kept-jobs.ts';
import { createOriginals, type Originals } from '../../../shared/jobs/joblog/originals.ts';
import { type Producer } from '../../../shared/platform/kafka/port.ts';
import { type Logger } from '../../../shared/platform/log/logger.ts';
import { type Principal } from '../../../shared/policy/access/principal.ts';
import { turnOfUser } from '../http/authenticated.ts';
import { type BodyWork, type BodyWorkOf } from '../bodies/body-work.ts';
import { cachingOf, type SamplingPolicy } from './caching.ts';
import { type DescribedJob } from './compose-message.ts';
import { type AdmissionControl, type AdmissionRequest, type Reserved } from './admission-control.ts';
import { createMeasureEntrant, type MeasureEntrant } from './measure-entrant.ts';
import { publishJob, releaseUnlessOpen } from './publish-job.ts';
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
  onRates: (headers: Readonly<Record<string, string>>) => void;
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
        if (entered) await releaseUnlessOpen(deps, job);
        throw error;
      });
      const fresh = admission.kind === 'new';
      const open = fresh || admission.state === 'admitting';
      const createdAt = fresh ? job.acceptedAt : admission.createdAt;
      if (entered && !fresh) await releaseUnlessOpen(deps, job, admission.state);
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
          await publishJob(deps, { ...outgoing, job: { ...job, ...cost, caching, acceptedAt: createdAt } });
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
  const { caller, controls, onRates } = submission;
  return admissionControl.enter({
    jobId,
    userHash,
    deadlineAt,
    model,
    assistant,
    truncation,
    caller,
    onRates,
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
  const admission = await storing(() => deps.jobLog.admit(record));
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

/** The client can return to the job later, or never waits for it. */
function isRecoverable({ controls, background = false }: Submission): boolean {
  return background || controls.idempotencyKey !== undefined;
}
