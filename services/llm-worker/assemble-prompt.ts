import { type ChatMessage, type ChatRequest } from '../../shared/contracts/chat-request.ts';
import { type Passage, type ReadyPiece } from '../../shared/contracts/flow.ts';
import { countTokens, maxTokens } from '../../shared/documents/tokens.ts';
import { TurnoutError } from '../../shared/errors/turnout-error.ts';
import { contextText } from './context-text.ts';
import { type Measure, measureMessages } from './measure-messages.ts';

/** What the model can take, in tokens. */
export interface ModelLimits {
  contextWindow: number;
  /** The longest answer that the model gives. */
  maxOutput?: number | undefined;
}

/** What became of one piece of context: what the job's `context` event tells. */
interface PieceShare {
  source: string;
  /** Passages in the prompt. */
  passages: number;
  /** The document's other passages, whether they were not chosen or found no room. */
  leftOut: number;
  ms: number;
}

export interface AssembledPrompt {
  /** What goes to the model: the request itself when no passage goes with it. */
  body: ChatRequest;
  /** One for each piece, in the order given. */
  included: PieceShare[];
  /** Passages that had been chosen and found no room in this model's window. */
  leftOut: number;
}

/** Passages fill the window up to here, because other providers count more tokens than o200k does. */
const FILL = 0.9;
/** What an answer gets when the client set no limit: at most this, and at most a quarter of the window. */
const DEFAULT_OUTPUT = 4_096;
/** The instruction above the documents; a document's two tags with its name; a gap between passages. */
const AROUND_CONTEXT = 130;
const AROUND_DOCUMENT = 100;
const AROUND_PASSAGE = 6;

/**
 * Puts the passages into the request, as one message behind its leading system or developer messages. Not later: several
 * providers and many chat templates take system messages at the head only, and documents that fit whole stay where they
 * are from turn to turn, which keeps providers' prompt caches warm.
 *
 * Passages that do not fit into the window less the reserved output are left out whole, lowest score first. Throws
 * `context_length_exceeded` when the messages alone do not fit. What certainly fits, by its size in bytes, is never
 * tokenised: the common case costs microseconds.
 */
export function assemblePrompt(
  request: ChatRequest,
  pieces: readonly ReadyPiece[],
  limits: ModelLimits,
): AssembledPrompt {
  const messages = measureMessages(request);
  checkMessagesFit(messages, limits);
  const kept = fitPieces(
    pieces,
    messages,
    Math.floor(limits.contextWindow * FILL) - reservedOutput(request, limits),
  );
  return {
    body: withContext(request, kept),
    included: kept.map((piece, at) => toShare(piece, pieces[at]?.passages.length ?? 0)),
    leftOut: countPassages(pieces) - countPassages(kept),
  };
}

/** Not less the output that the client asks for: LiteLLM's figure is the input's alone for some models. */
function checkMessagesFit(messages: Measure, { contextWindow }: ModelLimits): void {
  if (messages.atMost < contextWindow || messages.exact() < contextWindow) return;
  throw new TurnoutError('context_length_exceeded', {
    param: 'messages',
    message: `The context window of the model is ${contextWindow} tokens; the messages have about ${messages.exact()}.`,
  });
}

/** What the client allows the answer to take; never more than the model gives. */
function requestedOutput(request: ChatRequest, { maxOutput = Infinity }: ModelLimits): number | undefined {
  const requested = request.max_completion_tokens ?? request.max_tokens;
  return requested ? Math.min(requested, maxOutput) : undefined;
}

function reservedOutput(request: ChatRequest, limits: ModelLimits): number {
  const quarter = Math.floor(limits.contextWindow / 4);
  return requestedOutput(request, limits) ?? Math.min(DEFAULT_OUTPUT, quarter, limits.maxOutput ?? Infinity);
}

/** The same pieces, with the passages that fit into `room` tokens beside the messages. */
function fitPieces(pieces: readonly ReadyPiece[], messages: Measure, room: number): readonly ReadyPiece[] {
  if (countPassages(pieces) === 0) return pieces;
  if (messages.atMost + contextTokens(pieces, maxTokens) <= room) return pieces;
  const left = room - messages.exact();
  return contextTokens(pieces, countTokens) <= left ? pieces : bestThatFit(pieces, left);
}

function contextTokens(pieces: readonly ReadyPiece[], count: (text: string) => number): number {
  const passages = pieces.flatMap((piece) => piece.passages);
  const text = passages.reduce((sum, passage) => sum + AROUND_PASSAGE + count(passage.text), 0);
  return AROUND_CONTEXT + pieces.length * AROUND_DOCUMENT + text;
}

/** Best first; at equal scores the earlier document and the earlier passage. The first one that goes in pays for its tags. */
function bestThatFit(pieces: readonly ReadyPiece[], room: number): ReadyPiece[] {
  const kept = new Map<ReadyPiece, Set<Passage>>(pieces.map((piece) => [piece, new Set()]));
  const candidates = pieces.flatMap((piece) => piece.passages.map((passage) => ({ piece, passage })));
  let left = room - AROUND_CONTEXT;
  for (const { piece, passage } of candidates.sort((a, b) => b.passage.score - a.passage.score)) {
    const chosen = kept.get(piece);
    const tokens = countTokens(passage.text) + AROUND_PASSAGE + (chosen?.size ? 0 : AROUND_DOCUMENT);
    if (tokens > left) continue;
    chosen?.add(passage);
    left -= tokens;
  }
  return pieces.map((piece) => ({
    ...piece,
    passages: piece.passages.filter((passage) => kept.get(piece)?.has(passage)),
  }));
}

function withContext(request: ChatRequest, pieces: readonly ReadyPiece[]): ChatRequest {
  const filled = pieces.filter(({ passages }) => passages.length > 0);
  if (filled.length === 0) return request;
  const { messages } = request;
  const end = messages.findIndex(({ role }) => role !== 'system' && role !== 'developer');
  const head = end === -1 ? messages.length : end;
  // OpenAI refuses a request that has both roles.
  const role: 'system' | 'developer' = messages.some((message) => message.role === 'developer')
    ? 'developer'
    : 'system';
  const context: ChatMessage = { role, content: contextText(filled) };
  return { ...request, messages: messages.toSpliced(head, 0, context) };
}

function toShare({ piece, passages, leftOut, ms }: ReadyPiece, chosen: number): PieceShare {
  return { source: piece, passages: passages.length, leftOut: leftOut + chosen - passages.length, ms };
}

function countPassages(pieces: readonly ReadyPiece[]): number {
  return pieces.reduce((sum, { passages }) => sum + passages.length, 0);
}
