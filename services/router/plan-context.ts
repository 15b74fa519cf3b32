import { type ContextJob, type LlmJob, type PieceRequest } from '../../shared/contracts/flow.ts';
import { type JobMessage } from '../../shared/contracts/job-message.ts';
import { roughTokens } from '../../shared/jobs/joblog/lost-call.ts';

/** A retrieval service, as far as the router needs to know it. */
export interface KnownSource {
  name: string;
  /** Whether a job fails without its passages. */
  required: boolean;
  /** Whether every job queries it, not only jobs whose assistant names it. */
  always: boolean;
  /** Its timeout, in milliseconds. */
  timeoutMs: number;
  /** Tokens that its passages may fill. */
  tokens: number;
}

export interface ContextRules {
  /** False: the pieces are fetched one after another, in one child. */
  parallel: boolean;
  /** Tokens that all documents of a job may fill together. */
  documentTokens: number;
  /** Tokens that the messages may fill; undefined: as many as the model accepts. */
  historyTokens: number | undefined;
  sources: readonly KnownSource[];
}

export interface ContextPlan {
  children: Pick<ContextJob, 'pieces'>[];
  expected: LlmJob['context'];
}

/** The fields of a job that determine its context. */
export type PlannedJob = Pick<
  JobMessage,
  'documents' | 'request' | 'truncation' | 'deadlineAt' | 'promptTokens'
>;

interface PlannedPiece {
  request: PieceRequest;
  required: boolean;
}

/** The least budget of a document. With less, no passage of a long document would fit: a passage has up to 300 tokens. */
const PASSAGE_TOKENS = 400;
/** The largest share of the remaining time that a piece may take: the model needs time as well. */
const MOST_OF_THE_TIME = 0.5;
/** Choosing from a history takes milliseconds; if it takes longer, a store is unavailable. */
const HISTORY_SHARE_MS = 3_000;
/** Tokens. No current model has a smaller window, so shorter histories always fit. */
const SMALLEST_WINDOW = 4_000;

/**
 * Plans a job's context pieces: how much time and how much of the prompt each may take, and which child of the flow fetches it (one
 * child for each piece, or one for all). `sources`: the sources that its assistant names. `model`: the model that answers. Documents
 * are required. The history is not, because all of it can be sent instead.
 */
export function planContext(
  job: PlannedJob,
  { model, sources, now }: { model: string; sources: readonly string[]; now: number },
  rules: ContextRules,
): ContextPlan {
  const mostMs = Math.max(1, Math.floor((job.deadlineAt - now) * MOST_OF_THE_TIME));
  const documents = documentPieces(job, rules, mostMs);
  const remotes = remotePieces(rules, sources, mostMs);
  const history = historyPiece(job, { model, beside: [...documents, ...remotes], mostMs }, rules);
  const pieces = [...history, ...documents, ...remotes];
  const requests = pieces.map(({ request }) => request);
  return {
    children: rules.parallel ? requests.map((request) => ({ pieces: [request] })) : oneChild(requests),
    expected: pieces.map(({ request: { piece }, required }) => ({ piece, required })),
  };
}

function oneChild(pieces: PieceRequest[]): Pick<ContextJob, 'pieces'>[] {
  return pieces.length === 0 ? [] : [{ pieces }];
}

function documentPieces({ documents }: PlannedJob, { documentTokens }: ContextRules, shareMs: number) {
  const budget = Math.max(PASSAGE_TOKENS, Math.floor(documentTokens / Math.max(1, documents.length)));
  return documents.map((document): PlannedPiece => ({
    required: true,
    request: { kind: 'document', piece: `document-${document.index}`, document, budget, shareMs },
  }));
}

function remotePieces({ sources }: ContextRules, named: readonly string[], mostMs: number): PlannedPiece[] {
  return sources
    .filter(({ name, always }) => always || named.includes(name))
    .map(({ name, required, timeoutMs, tokens: budget }) => ({
      required,
      request: {
        kind: 'remote',
        piece: `source-${name}`,
        source: name,
        budget,
        shareMs: Math.min(timeoutMs, mostMs),
      },
    }));
}

/** Empty when the whole history fits, judged by its size in bytes: a token has at least one byte. */
function historyPiece(
  { request, truncation }: PlannedJob,
  { model, beside, mostMs }: { model: string; beside: readonly PlannedPiece[]; mostMs: number },
  { historyTokens }: ContextRules,
): PlannedPiece[] {
  if (truncation === 'disabled' || (historyTokens === undefined && truncation !== 'auto')) return [];
  if (bytesOf(request) <= (historyTokens ?? SMALLEST_WINDOW)) return [];
  const filled = beside.reduce((sum, piece) => sum + (piece.request.budget ?? 0), 0);
  const shareMs = Math.min(HISTORY_SHARE_MS, mostMs);
  const about = { kind: 'history', piece: 'history', model, request, beside: filled, shareMs } as const;
  return [
    { required: false, request: historyTokens === undefined ? about : { ...about, budget: historyTokens } },
  ];
}

function bytesOf(request: JobMessage['request']): number {
  return request.kind === 'blob' ? request.bytes : Buffer.byteLength(JSON.stringify(request.request));
}

/** A rough estimate of the prompt's tokens: the request's own, counted by the ingress, and at most the budgets of the pieces. */
export function roughPromptTokens(
  { request, documents, promptTokens }: PlannedJob,
  { children }: ContextPlan,
): number {
  const pieces = children.flatMap((child) => child.pieces);
  const remote = pieces.reduce((sum, piece) => sum + (piece.kind === 'remote' ? piece.budget : 0), 0);
  const budget = pieces.reduce((sum, piece) => sum + (piece.kind === 'document' ? piece.budget : 0), 0);
  const documentBytes = documents.reduce((sum, { content }) => sum + sizeOf(content), 0);
  const own = promptTokens ?? roughTokens(bytesOf(request));
  return own + remote + Math.min(budget, roughTokens(documentBytes));
}

/** The size of a document in bytes; for one whose text is not extracted yet, the size of the file. */
function sizeOf(content: JobMessage['documents'][number]['content']): number {
  if (content.kind === 'inline') return Buffer.byteLength(content.text);
  return content.kind === 'raw' ? content.blob.bytes : content.bytes;
}
