import { fingerprintOf } from '../cache/fingerprint.ts';
import { type ChatMessage, type ChatRequest } from '../../contracts/chat-request.ts';
import { type Backend } from '../../contracts/decision.ts';
import { type PieceRequest } from '../../contracts/flow.ts';
import { type Document } from '../../contracts/job-message.ts';

/**
 * Fingerprints of what an answer depends on, in two steps: the request, where its body is read, and the decisions about it, in the router.
 * All members count unless they are listed here as idle, so requests with different unknown parameters never share an answer.
 */

/**
 * Members of a request that do not affect its answer. `user` and `safety_identifier` are not among them: they identify people behind one
 * API key, who must not see each other's answers. The model is decided later.
 */
const IDLE: ReadonlySet<string> = new Set([
  'model',
  'stream',
  'stream_options',
  'metadata',
  'store',
  'prompt_cache_key',
  'prompt_cache_retention',
  'service_tier',
]);

/** Fingerprint of a chat request without its documents. */
export function requestFingerprint(request: ChatRequest): string {
  const { messages, n, ...rest } = request;
  const telling = Object.entries(rest).filter(([name]) => !IDLE.has(name));
  const nameOf = createNames();
  return fingerprintOf({
    ...Object.fromEntries(telling.filter(isGiven)),
    ...(n && n > 1 ? { n } : {}),
    messages: messages.map((message) => normalised(message, nameOf)),
  });
}

export interface AnswerBasis {
  /** The fingerprint of the request. */
  request: string;
  /** The model that answers. */
  model: string;
  path: Backend;
  documents: readonly Pick<Document, 'name' | 'mediaType' | 'fileId' | 'version'>[];
  assistant: { name: string; version: string } | undefined;
  /** The requested pieces of context. */
  pieces: readonly PieceRequest[];
  /** The request's `truncation`: whether older history may be dropped. */
  truncation: string | undefined;
  /** The user's groups, which determine what the user may see. */
  groups: readonly string[];
}

/** Fingerprint of an answer; undefined when the version of a document is unknown. */
export function answerFingerprint(basis: AnswerBasis): string | undefined {
  const { request, model, path, assistant, truncation } = basis;
  const documents = basis.documents.map(({ name, mediaType, fileId, version }) => ({
    name,
    mediaType,
    fileId,
    version,
  }));
  if (documents.some(({ version }) => version === undefined)) return undefined;
  return fingerprintOf({
    request,
    model,
    path,
    assistant,
    truncation,
    documents,
    pieces: basis.pieces.map(termsOf),
    groups: [...new Set(basis.groups)].sort(),
  });
}

/** Which piece, and its share of the prompt. Its time limit does not count, and the rest is in the request or the documents already. */
function termsOf(piece: PieceRequest) {
  const { kind, piece: name, budget } = piece;
  return { kind, name, budget, ...(piece.kind === 'history' ? { beside: piece.beside } : {}) };
}

function isGiven([, value]: readonly [string, unknown]): boolean {
  return value !== undefined && value !== null;
}

/** Members that SDKs add to earlier answers in a request, and that no model reads. */
const IDLE_IN_MESSAGE: ReadonlySet<string> = new Set(['annotations']);

function normalised(message: ChatMessage, nameOf: (callId: string) => string): object {
  const telling = Object.entries(message).filter((entry) => isGiven(entry) && !IDLE_IN_MESSAGE.has(entry[0]));
  return {
    ...Object.fromEntries(telling),
    ...(message.content ? { content: plainContent(message.content) } : {}),
    ...(message.role === 'tool' ? { tool_call_id: nameOf(message.tool_call_id) } : {}),
    ...(message.role === 'assistant' && message.tool_calls
      ? { tool_calls: message.tool_calls.map((call) => ({ ...call, id: nameOf(call.id) })) }
      : {}),
  };
}

/** Content with a single text part counts as that text. */
function plainContent(content: NonNullable<ChatMessage['content']>): unknown {
  if (typeof content === 'string' || content.length !== 1) return content;
  const [only] = content;
  return only?.type === 'text' && Object.keys(only).length === 2 ? only.text : content;
}

/** Replaces the random ids of tool calls by numbered names, so only the assignment of results to calls counts. */
function createNames(): (callId: string) => string {
  const names = new Map<string, string>();
  return (callId) => {
    const name = names.get(callId) ?? `call ${names.size}`;
    names.set(callId, name);
    return name;
  };
}
