import {
  type ChosenPassages,
  type ContextJob,
  type HistoryPiece,
  type PieceKind,
  type PieceRequest,
} from '../../../shared/contracts/flow.ts';

/** What all pieces of a job have in common. */
export type PieceJob = Pick<ContextJob, 'jobId' | 'user' | 'groups' | 'question' | 'caching' | 'traceparent'>;

export type Request<Kind extends PieceKind> = Extract<PieceRequest, { kind: Kind }>;

/** What each kind of source gives: the piece without what is the same for all of them. */
interface FetchedBy {
  document: ChosenPassages;
  history: Omit<HistoryPiece, 'status' | 'piece' | 'ms'>;
  remote: ChosenPassages;
}
export type Fetched = FetchedBy[PieceKind];

/**
 * One kind of context. `fetch` rejects with a `TurnoutError` that says what is wrong in words safe for clients, with an
 * `UnreadableDocument`, or with the signal's reason. One that does not heed the signal is not waited for.
 */
export interface ContextSource<Kind extends PieceKind, Result extends Fetched = FetchedBy[Kind]> {
  readonly name: Kind;
  fetch(request: Request<Kind>, job: PieceJob, signal: AbortSignal): Promise<Result>;
}

export type ContextSources = { readonly [Kind in PieceKind]: ContextSource<Kind> };
