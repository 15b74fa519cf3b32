import { type ChatMessage, type ChatRequest } from '../../../shared/contracts/chat-request.ts';
import { type HistoryPiece, type Passage, type PassagesPiece } from '../../../shared/contracts/flow.ts';
import { countTokens, maxTokens } from '../../../shared/content/documents/tokens.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { type Measure, measureRequest } from '../../../shared/content/models/measure-request.ts';
import { type ModelWindow, tokensForInput } from '../../../shared/content/models/prompt-budget.ts';
import { contextText } from './context-text.ts';

/** The parts of a prompt, most important first: each part gets the room that the parts before it leave in the window. */
export interface PromptParts {
  /** The assistant's instructions; they come before the client's own. */
  instructions?: string | undefined;
  /** Its messages are never shortened; if they do not fit, the request fails. */
  request: ChatRequest;
  /** Which messages to keep; without it, all of them. */
  history?: HistoryPiece | undefined;
  passages: readonly PassagesPiece[];
}

/** How much of one context piece went into the prompt, as the job's `context` event reports it. */
interface PieceShare {
  source: string;
  /** Passages in the prompt; for the history, messages. */
  passages: number;
  /** Passages or messages left out, because they were not chosen or did not fit. */
  leftOut: number;
  ms: number;
}

export interface AssembledPrompt {
  /** What goes to the model: the same request object if nothing was added or removed. */
  body: ChatRequest;
  /** One entry for each piece: the history first, then the others in the order given. */
  included: PieceShare[];
  /** The passages that went in. */
  passages: readonly PassagesPiece[];
}

/** Tokens reserved for the instruction above the documents, for a document's two tags with its name, and for a gap between passages. */
const AROUND_CONTEXT = 130;
const AROUND_DOCUMENT = 100;
const AROUND_PASSAGE = 6;

/**
 * Adds the passages to the request as one message, right after the leading system or developer messages. Not later, because several
 * providers and many chat templates accept system messages only at the start. Documents that fit whole also keep their position from
 * turn to turn, which keeps the providers' prompt caches warm.
 *
 * Passages that do not fit into the window less the reserved output are left out whole, lowest score first. Throws
 * `context_length_exceeded` when the messages alone do not fit. Text whose size in bytes already proves that it fits is not
 * tokenised, so the common case costs microseconds.
 */
export function assemblePrompt(parts: PromptParts, window: ModelWindow): AssembledPrompt {
  const { history, passages: pieces } = parts;
  const request = withInstructions(withHistory(parts.request, history), parts.instructions);
  const messages = measureRequest(request);
  checkMessagesFit(messages, window);
  const kept = fitPieces(pieces, messages, tokensForInput(request, window));
  const shares = kept.map((piece, at) => toShare(piece, pieces[at]?.passages.length ?? 0));
  return {
    body: withContext(request, kept),
    included: [...(history ? [historyShare(history)] : []), ...shares],
    passages: kept,
  };
}

function withHistory(request: ChatRequest, history: HistoryPiece | undefined): ChatRequest {
  if (!history || history.leftOut === 0) return request;
  return { ...request, messages: history.keep.flatMap((at) => request.messages[at] ?? []) };
}

function withInstructions(request: ChatRequest, instructions: string | undefined): ChatRequest {
  if (!instructions) return request;
  const message: ChatMessage = { role: instructingRole(request), content: instructions };
  return { ...request, messages: [message, ...request.messages] };
}

/** The requested output is not subtracted: for some models LiteLLM's context window covers the input only. */
function checkMessagesFit(messages: Measure, { contextWindow }: ModelWindow): void {
  if (messages.atMost < contextWindow || messages.exact() < contextWindow) return;
  throw new TurnoutError('context_length_exceeded', {
    param: 'messages',
    message: `The context window of the model is ${contextWindow} tokens; the messages have about ${messages.exact()}.`,
  });
}

/** The same pieces, reduced to the passages that fit into `room` tokens together with the messages. */
function fitPieces(
  pieces: readonly PassagesPiece[],
  messages: Measure,
  room: number,
): readonly PassagesPiece[] {
  if (countPassages(pieces) === 0) return pieces;
  if (messages.atMost + contextTokens(pieces, maxTokens) <= room) return pieces;
  const left = room - messages.exact();
  return contextTokens(pieces, countTokens) <= left ? pieces : bestThatFit(pieces, left);
}

function contextTokens(pieces: readonly PassagesPiece[], count: (text: string) => number): number {
  const passages = pieces.flatMap((piece) => piece.passages);
  const text = passages.reduce((sum, passage) => sum + AROUND_PASSAGE + count(passage.text), 0);
  return AROUND_CONTEXT + pieces.length * AROUND_DOCUMENT + text;
}

/** Takes the best scores first, and at equal scores the earlier document and passage. A document's first passage also counts its tags. */
function bestThatFit(pieces: readonly PassagesPiece[], room: number): PassagesPiece[] {
  const kept = new Map<PassagesPiece, Set<Passage>>(pieces.map((piece) => [piece, new Set()]));
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

function withContext(request: ChatRequest, pieces: readonly PassagesPiece[]): ChatRequest {
  const filled = pieces.filter(({ passages }) => passages.length > 0);
  if (filled.length === 0) return request;
  const { messages } = request;
  const end = messages.findIndex(({ role }) => role !== 'system' && role !== 'developer');
  const head = end === -1 ? messages.length : end;
  const context: ChatMessage = { role: instructingRole(request), content: contextText(filled) };
  return { ...request, messages: messages.toSpliced(head, 0, context) };
}

/** OpenAI rejects a request that has both roles. */
function instructingRole({ messages }: ChatRequest): 'system' | 'developer' {
  return messages.some(({ role }) => role === 'developer') ? 'developer' : 'system';
}

function historyShare({ piece: source, keep, leftOut, ms }: HistoryPiece): PieceShare {
  return { source, passages: keep.length, leftOut, ms };
}

function toShare({ piece, passages, leftOut, ms }: PassagesPiece, chosen: number): PieceShare {
  return { source: piece, passages: passages.length, leftOut: leftOut + chosen - passages.length, ms };
}

function countPassages(pieces: readonly PassagesPiece[]): number {
  return pieces.reduce((sum, { passages }) => sum + passages.length, 0);
}
