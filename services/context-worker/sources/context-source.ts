import {
  type ChosenPassages,
  type ContextJob,
  type HistoryPiece,
  type PieceKind,
  type PieceRequest,
} from '../../../shared/contracts/flow.ts';

/** The fields that all pieces of a job have in common. */
export type PieceJob = Pick<ContextJob, 'jobId' | 'user' | 'groups' | 'question' | 'caching' | 'traceparent'>;

export type Request<Kind extends PieceKind> = Extract<PieceRequest, { kind: Kind }>;

/** The result of each kind of source: the piece without the fields that all pieces have. */
interface FetchedBy {
  document: ChosenPassages;
  history: Omit<HistoryPiece, 'status' | 'piece' | 'ms'>;
  remote: ChosenPassages;
}
export type Fetched = FetchedBy[PieceKind];

/**
 * A source for one kind of context. `fetch` rejects with a `TurnoutError` whose message is safe for clients, with an
 * `UnreadableDocument`, or with the signal's reason. After the signal fires, the caller does not wait for it any longer.
 */
export interface ContextSource<Kind extends PieceKind, Result extends Fetched = FetchedBy[Kind]> {
  readonly name: Kind;
  fetch(request: Request<Kind>, job: PieceJob, signal: AbortSignal): Promise<Result>;
}

export type ContextSources = { readonly [Kind in PieceKind]: ContextSource<Kind> };
