import { type ContextJob, type LlmJob, type PieceRequest } from '../../shared/contracts/flow.ts';
import { type JobMessage } from '../../shared/contracts/job-message.ts';
import { roughTokens } from '../../shared/jobs/joblog/lost-call.ts';

/** What the router knows of a retrieval service. */
export interface KnownSource {
  name: string;
  /** Without it there is no answer. */
  required: boolean;
  /** Asked for every job, not only for those of an assistant that names it. */
  always: boolean;
  /** Milliseconds that it has. */
  timeoutMs: number;
  /** Tokens that its passages may fill. */
  tokens: number;
}

export interface ContextRules {
  /** False: the pieces are fetched one after another, in one child. */
  parallel: boolean;
  /** Tokens that all documents of a job may fill together. */
  documentTokens: number;
  /** Tokens that the messages may fill; undefined: all that the model takes. */
  historyTokens: number | undefined;
  sources: readonly KnownSource[];
}

export interface ContextPlan {
  children: Pick<ContextJob, 'pieces'>[];
  expected: LlmJob['context'];
}

/** What of a job decides about its context. */
export type PlannedJob = Pick<
  JobMessage,
  'documents' | 'request' | 'truncation' | 'deadlineAt' | 'promptTokens'
>;

interface PlannedPiece {
  request: PieceRequest;
  required: boolean;
}

/** Less than this and nothing of a long document could be chosen: a passage has up to 300 tokens. */
const PASSAGE_TOKENS = 400;
/** No piece takes more than this of the time that is left: the model needs some as well. */
const MOST_OF_THE_TIME = 0.5;
/** Choosing from a history takes milliseconds; what takes longer is a store that is away. */
const HISTORY_SHARE_MS = 3_000;
/** Tokens; no model of today has a smaller window, so what is shorter need not be looked at. */
const SMALLEST_WINDOW = 4_000;

/**
 * Which pieces of context a job has, how much each may take of its time and of the prompt, and which child of the flow
 * fetches it: one for each piece, or one for all. `sources`: those that its assistant names, and `model` the one that answers.
 * Documents are required; the history is not, since the whole of it can go instead.
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

/** None where all of it fits, as its size in bytes shows: a token has at least one. */
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

/** About as many tokens as the prompt will have: the pieces fill at most their budgets. The request's own were counted by the ingress. */
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

/** Of a document whose text nobody has read yet, the bytes that it was sent as. */
function sizeOf(content: JobMessage['documents'][number]['content']): number {
  if (content.kind === 'inline') return Buffer.byteLength(content.text);
  return content.kind === 'raw' ? content.blob.bytes : content.bytes;
}
