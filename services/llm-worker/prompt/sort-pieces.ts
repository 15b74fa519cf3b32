import {
  type ContextPiece,
  type FailedPiece,
  type HistoryPiece,
  type LlmJob,
  type PassagesPiece,
} from '../../../shared/contracts/flow.ts';
import { type JobEvent } from '../../../shared/contracts/job-event.ts';
import { type ErrorCode } from '../../../shared/platform/errors/catalogue.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';

type Degraded = Extract<JobEvent, { type: 'degraded' }>;

export interface SortedPieces {
  history: HistoryPiece | undefined;
  /** In the order of the prompt. */
  passages: PassagesPiece[];
  /** Pieces that are missing from the answer, or of reduced quality. */
  degraded: Degraded[];
}

/** Sorts the pieces that a job expects. Throws the error of a required piece that failed or is missing. */
export function sortPieces(
  { context }: Pick<LlmJob, 'context'>,
  pieces: readonly ContextPiece[],
): SortedPieces {
  const fetched = new Map(pieces.map((piece) => [piece.piece, piece]));
  const sorted: SortedPieces = { history: undefined, passages: [], degraded: [] };
  for (const { piece: name, required } of context) {
    const piece = fetched.get(name) ?? missing(name);
    if (piece.status === 'failed') {
      if (required) throw errorOf(piece);
      sorted.degraded.push({ type: 'degraded', source: name, code: piece.code, ms: piece.ms });
    } else if (piece.kind === 'history') sorted.history = piece;
    else {
      sorted.passages.push(piece);
      if (piece.degraded)
        sorted.degraded.push({ type: 'degraded', source: name, code: piece.degraded, ms: piece.ms });
    }
  }
  return sorted;
}

const TOLD: ReadonlySet<ErrorCode> = new Set([
  'unsupported_document',
  'deadline_exceeded',
  'source_failed',
  'source_timeout',
]);

/** Internal failures are reported to the client as `context_failed` only. */
function errorOf({ code, message }: FailedPiece): TurnoutError {
  return TOLD.has(code)
    ? new TurnoutError(code, { message })
    : new TurnoutError('context_failed', { cause: `${code}: ${message}` });
}

/** The queue failed the piece's child job before it could return a value. */
function missing(piece: string): FailedPiece {
  const { code, message } = new TurnoutError('context_failed');
  return { status: 'failed', piece, code, message, ms: 0 };
}
