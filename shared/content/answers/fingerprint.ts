import { fingerprintOf } from '../cache/fingerprint.ts';
import { type ChatMessage, type ChatRequest } from '../../contracts/chat-request.ts';
import { type Backend } from '../../contracts/decision.ts';
import { type PieceRequest } from '../../contracts/flow.ts';
import { type Document } from '../../contracts/job-message.ts';

/**
 * What an answer depends on, in two steps: the request, where its body is read; and what is decided about it, in the router.
 * Whatever is not named here as idle counts, so that a parameter that nobody knows yet tells answers apart.
 */

/**
 * Members of a request that change nothing in its answer. Not `user` and `safety_identifier`: they name people behind one key,
 * and what one of these was told is not for another. The model is decided later.
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
  /** Of the request. */
  request: string;
  /** The one that answers. */
  model: string;
  path: Backend;
  documents: readonly Pick<Document, 'name' | 'mediaType' | 'fileId' | 'version'>[];
  assistant: { name: string; version: string } | undefined;
  /** The pieces of context, as they are asked for. */
  pieces: readonly PieceRequest[];
  /** Whether an answer may do with less of the history. */
  truncation: string | undefined;
  /** What its user may see. */
  groups: readonly string[];
}

/** Fingerprint of an answer; undefined where not all that it depends on is known. */
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

/** Which piece, and how much of it: not how long it may take, and not what stands in the request or the documents anyway. */
function termsOf(piece: PieceRequest) {
  const { kind, piece: name, budget } = piece;
  return { kind, name, budget, ...(piece.kind === 'history' ? { beside: piece.beside } : {}) };
}

function isGiven([, value]: readonly [string, unknown]): boolean {
  return value !== undefined && value !== null;
}

/** What SDKs add to an answer that is sent back, and no model reads. */
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

/** A text is the same text as the only part of a list. */
function plainContent(content: NonNullable<ChatMessage['content']>): unknown {
  if (typeof content === 'string' || content.length !== 1) return content;
  const [only] = content;
  return only?.type === 'text' && Object.keys(only).length === 2 ? only.text : content;
}

/** Ids of tool calls are random: what counts is which answer belongs to which call. */
function createNames(): (callId: string) => string {
  const names = new Map<string, string>();
  return (callId) => {
    const name = names.get(callId) ?? `call ${names.size}`;
    names.set(callId, name);
    return name;
  };
}
