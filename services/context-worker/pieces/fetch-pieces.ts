import {
  type ContextJob,
  contextJob,
  type ContextPiece,
  type FailedPiece,
  type PieceRequest,
} from '../../../shared/contracts/flow.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { type Logger } from '../../../shared/platform/log/logger.ts';
import { unlessAborted } from '../../../shared/platform/util/unless-aborted.ts';
import { type ContextSources, type Fetched } from '../sources/context-source.ts';
import { whileWanted } from './while-wanted.ts';

export interface FetchPiecesDeps {
  sources: ContextSources;
  /** Whether the job was cancelled or has ended, so that its pieces are no longer needed. */
  hasEnded: (jobId: string) => Promise<boolean>;
  /** The clock for deadlines; milliseconds since the epoch. */
  now: () => number;
  log: Logger;
}

/** The longest delay of a Node.js timer, about 24 days. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/**
 * Fetches the context pieces of one child, one after another. A failure is returned as a value, so that the parent always runs and
 * either ends the job or answers without the piece. Throws only if another attempt may help (a store is unavailable), and never in the
 * last attempt. Fetching stops when the job ends.
 */
export async function fetchPieces(
  deps: FetchPiecesDeps,
  data: unknown,
  { lastAttempt }: { lastAttempt: boolean },
): Promise<ContextPiece[]> {
  const parsed = contextJob.safeParse(data);
  if (!parsed.success) {
    deps.log.error({ err: parsed.error }, 'Could not read context job data');
    const unreadable = new TurnoutError('unreadable_message');
    return namesIn(data).map((piece) => failed(piece, unreadable, 0));
  }
  const job = parsed.data;
  return whileOpen(deps, job, async (ended) => {
    const pieces: ContextPiece[] = [];
    for (const request of job.pieces) {
      const began = pieces.length === 0 ? job.routedAt : deps.now();
      const endBy = began + request.shareMs;
      pieces.push(await fetchPiece(deps, { job, request, endBy, ended, lastAttempt }));
    }
    return pieces;
  });
}

function whileOpen<T>(
  { hasEnded, log }: FetchPiecesDeps,
  { jobId }: ContextJob,
  work: (ended: AbortSignal) => Promise<T>,
): Promise<T> {
  const unwanted = async () => ((await hasEnded(jobId)) ? new TurnoutError('cancelled') : undefined);
  const onError = (error: unknown) =>
    log.warn({ err: error, jobId }, 'Could not check whether a job has ended; fetching its context anyway');
  return whileWanted({ unwanted, onError }, work);
}

interface Turn {
  job: ContextJob;
  request: PieceRequest;
  /** The end of the piece's share of the time; milliseconds since the epoch. */
  endBy: number;
  /** Fires when the job has ended. */
  ended: AbortSignal;
  lastAttempt: boolean;
}

async function fetchPiece(deps: FetchPiecesDeps, turn: Turn): Promise<ContextPiece> {
  const { job, request } = turn;
  const { piece } = request;
  const began = performance.now();
  const elapsed = () => Math.round((performance.now() - began) * 10) / 10;
  const share = shareSignal(turn, deps.now);
  try {
    share.signal.throwIfAborted();
    const fetched = await unlessAborted(fetchFrom(deps.sources, request, job, share.signal), share.signal);
    return { ...fetched, status: 'ready', piece, ms: elapsed() };
  } catch (error) {
    const failure = share.signal.aborted ? (share.signal.reason as TurnoutError) : toFailure(error);
    const { code } = failure;
    const retry = code === 'store_unavailable' && !turn.lastAttempt;
    deps.log.warn({ err: error, jobId: job.jobId, piece, code, retry }, 'Context piece failed');
    if (retry) throw failure;
    return failed(piece, failure, elapsed());
  } finally {
    share.clear();
  }
}

function fetchFrom(
  sources: ContextSources,
  request: PieceRequest,
  job: ContextJob,
  signal: AbortSignal,
): Promise<Fetched> {
  switch (request.kind) {
    case 'document':
      return sources.document.fetch(request, job, signal);
    case 'history':
      return sources.history.fetch(request, job, signal);
    case 'remote':
      return sources.remote.fetch(request, job, signal);
  }
}

/** Fires when the job has ended, the piece has used up its share of the time, or the job's deadline has passed. */
function shareSignal(
  { job, endBy, ended }: Turn,
  now: () => number,
): { signal: AbortSignal; clear: () => void } {
  const controller = new AbortController();
  const expire = () => {
    // The clock alone is not enough: a timer may fire a millisecond early.
    const over = job.deadlineAt <= endBy || now() >= job.deadlineAt;
    const code = over ? 'deadline_exceeded' : 'source_timeout';
    controller.abort(new TurnoutError(code));
  };
  const left = Math.min(endBy, job.deadlineAt) - now();
  if (left <= 0) expire();
  const timer = setTimeout(expire, Math.min(Math.max(0, left), MAX_TIMEOUT_MS));
  const signal = AbortSignal.any([ended, controller.signal]);
  return { signal, clear: () => clearTimeout(timer) };
}

function toFailure(error: unknown): TurnoutError {
  return error instanceof TurnoutError ? error : new TurnoutError('context_failed', { cause: error });
}

function failed(piece: string, { code, message }: TurnoutError, ms: number): FailedPiece {
  return { status: 'failed', piece, code, message, ms };
}

/** The names of the pieces in unreadable job data, as far as they can be read: the parent may expect them by name. */
function namesIn(data: unknown): string[] {
  const pieces = (data as { pieces?: unknown } | null)?.pieces;
  if (!Array.isArray(pieces)) return [];
  return pieces.flatMap((piece: { piece?: unknown } | null) =>
    typeof piece?.piece === 'string' ? [piece.piece] : [],
  );
}
