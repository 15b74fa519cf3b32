import {
  type ContextJob,
  type HistoryPiece,
  type PassagesPiece,
  type PieceKind,
  type PieceRequest,
} from '../../../shared/contracts/flow.ts';

/** What all pieces of a job have in common. */
export type PieceJob = Pick<ContextJob, 'jobId' | 'user' | 'question' | 'traceparent'>;

export type Request<Kind extends PieceKind> = Extract<PieceRequest, { kind: Kind }>;

/** What a source gives: the piece without what is the same for all of them. */
export type Fetched =
  Omit<PassagesPiece, 'status' | 'piece' | 'ms'> | Omit<HistoryPiece, 'status' | 'piece' | 'ms'>;

/**
 * One kind of context. `fetch` rejects with a `TurnoutError` that says what is wrong in words safe for clients, with an
 * `UnreadableDocument`, or with the signal's reason. One that does not heed the signal is not waited for.
 */
export interface ContextSource<Kind extends PieceKind> {
  readonly name: Kind;
  fetch(request: Request<Kind>, job: PieceJob, signal: AbortSignal): Promise<Fetched>;
}

export type ContextSources = { readonly [Kind in PieceKind]: ContextSource<Kind> };
