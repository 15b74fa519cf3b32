import { type BlobStore } from '../../shared/blobs/blob-store.ts';
import { type ContextJob, contextJob, type ContextPiece } from '../../shared/contracts/flow.ts';
import { type Document } from '../../shared/contracts/job-message.ts';
import { type Extractor } from '../../shared/documents/extract/extractor.ts';
import { UnreadableDocument } from '../../shared/documents/extract/unreadable-document.ts';
import { type PassageChooser } from '../../shared/documents/passage-chooser.ts';
import { TurnoutError } from '../../shared/errors/turnout-error.ts';
import { type Logger } from '../../shared/log/logger.ts';

export interface PreparePieceDeps {
  blobs: Pick<BlobStore, 'get' | 'load'>;
  chooser: Pick<PassageChooser, 'choose'>;
  extractor: Pick<Extractor, 'extract'>;
  log: Logger;
}

/** Timers take no more than this, about 24 days. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/**
 * Prepares one piece of context. A failure is a value, so that the parent, which ends the job, always runs; thrown is only
 * what another attempt may heal (the blob store is unavailable), and that not in the last attempt. The deadline covers all
 * of it: work that is late is dropped, also in the middle.
 */
export async function preparePiece(
  deps: PreparePieceDeps,
  data: unknown,
  { lastAttempt }: { lastAttempt: boolean },
): Promise<ContextPiece> {
  const parsed = contextJob.safeParse(data);
  if (!parsed.success) {
    deps.log.error({ err: parsed.error, piece: pieceOf(data) }, 'Context job could not be read');
    return failed({ piece: pieceOf(data), name: '' }, new TurnoutError('unreadable_message'));
  }
  const job = parsed.data;
  try {
    return await prepared(deps, job);
  } catch (error) {
    const failure = toFailure(error, job);
    const retry = failure.retryable && failure.code === 'store_unavailable' && !lastAttempt;
    deps.log.warn(
      { err: error, jobId: job.jobId, piece: job.piece, code: failure.code, retry },
      'Context piece failed',
    );
    if (retry) throw failure;
    return failed({ piece: job.piece, name: job.document.name }, failure);
  }
}

async function prepared(deps: PreparePieceDeps, job: ContextJob): Promise<ContextPiece> {
  const began = performance.now();
  const signal = deadlineSignal(job.deadlineAt);
  const text = await textOf(job.document, deps, signal);
  const choice = await deps.chooser.choose(
    { text, question: job.question, budgetTokens: job.budget },
    signal,
  );
  const ms = Math.round((performance.now() - began) * 10) / 10;
  return { status: 'ready', piece: job.piece, name: job.document.name, ...choice, ms };
}

function deadlineSignal(deadlineAt: number): AbortSignal {
  const left = deadlineAt - Date.now();
  if (left <= 0) throw new TurnoutError('deadline_exceeded');
  return AbortSignal.timeout(Math.min(left, MAX_TIMEOUT_MS));
}

async function textOf(
  { content }: Document,
  { blobs, extractor }: Pick<PreparePieceDeps, 'blobs' | 'extractor'>,
  signal: AbortSignal,
): Promise<string | Buffer> {
  if (content.kind === 'inline') return content.text;
  if (content.kind === 'blob') return blobs.get(content, signal);
  // An uploaded file may have been read since the job was accepted.
  const text = content.text === undefined ? undefined : await blobs.load(content.text);
  if (text) return text;
  const bytes = () => blobs.get(content.blob, signal);
  return extractor.extract({ format: content.format, bytes }, signal);
}

/** Whatever went wrong after the deadline went wrong because of it, or no longer matters. */
function toFailure(error: unknown, { deadlineAt, document }: ContextJob): TurnoutError {
  if (Date.now() >= deadlineAt) return new TurnoutError('deadline_exceeded', { cause: error });
  if (error instanceof UnreadableDocument) {
    const message = `The document "${document.name}" cannot be read: ${error.message}.`;
    return new TurnoutError('unsupported_document', { message, cause: error });
  }
  return error instanceof TurnoutError ? error : new TurnoutError('context_failed', { cause: error });
}

function failed(
  { piece, name }: { piece: string; name: string },
  { code, message }: TurnoutError,
): ContextPiece {
  return { status: 'failed', piece, name, code, message };
}

function pieceOf(data: unknown): string {
  const piece = typeof data === 'object' && data !== null && 'piece' in data ? data.piece : undefined;
  return typeof piece === 'string' ? piece : 'unknown';
}
