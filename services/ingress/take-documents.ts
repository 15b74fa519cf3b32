import {
  type ChatMessage,
  type ChatRequest,
  type FilePart,
  textOf,
} from '../../shared/contracts/chat-request.ts';
import { decodeDocument } from '../../shared/documents/decode.ts';
import { TurnoutError } from '../../shared/errors/turnout-error.ts';
import { displayName } from '../../shared/documents/display-name.ts';

export interface TakenDocument {
  /** Position among the request's documents, from 0. */
  index: number;
  name: string;
  mediaType: string;
  text: string;
}

export interface TakenDocuments {
  /** The request without its file parts; the very same object when it has none. */
  request: ChatRequest;
  documents: TakenDocument[];
  /** What passages are chosen for: the text of the last user message that has any, at most 4,000 characters of it. */
  question: string;
}

type UserMessage = Extract<ChatMessage, { role: 'user' }>;
type ContentPart = Exclude<UserMessage['content'], string>[number];

/** People ask before what they paste, or after it. */
const QUESTION_END = 2_000;

/**
 * Takes the files out of the messages: they travel beside them and come back as passages. A user message that had nothing
 * else keeps a line that names them. Throws `invalid_value` or `unsupported_document` with the exact path of the part.
 */
export function takeDocuments(request: ChatRequest): TakenDocuments {
  const question = questionOf(request.messages);
  if (!request.messages.some(hasFile)) return { request, documents: [], question };
  const documents: TakenDocument[] = [];
  const messages = request.messages.map((message, at) =>
    hasFile(message) ? withoutFiles(message, `messages[${at}]`, documents) : message,
  );
  if (documents.length > MAX_DOCUMENTS) throw tooManyDocuments();
  return { request: { ...request, messages }, documents, question };
}

/** Each is a queue job of its own. */
const MAX_DOCUMENTS = 256;

function tooManyDocuments(): TurnoutError {
  return new TurnoutError('invalid_value', {
    message: `A request may have at most ${MAX_DOCUMENTS} files.`,
    param: 'messages',
  });
}

function hasFile(message: ChatMessage): message is UserMessage & { content: ContentPart[] } {
  return message.role === 'user' && typeof message.content !== 'string' && message.content.some(isFile);
}

function isFile(part: ContentPart): part is FilePart {
  return part.type === 'file';
}

/** The message without its files, which are added to `documents`. */
function withoutFiles(
  message: UserMessage & { content: ContentPart[] },
  path: string,
  documents: TakenDocument[],
): UserMessage {
  const first = documents.length;
  message.content.forEach((part, at) => {
    if (isFile(part)) documents.push(take(part, `${path}.content[${at}].file.file_data`, documents.length));
  });
  const rest = message.content.filter((part) => !isFile(part));
  const names = documents.slice(first).map(({ name }) => `"${name}"`);
  return {
    ...message,
    content: rest.length > 0 ? rest : [{ type: 'text', text: `Attached: ${names.join(', ')}` }],
  };
}

function take({ file }: FilePart, param: string, index: number): TakenDocument {
  const decoded = decodeDocument({ data: file.file_data, filename: file.filename, param });
  return { index, name: displayName(file.filename, index), ...decoded };
}

function questionOf(messages: readonly ChatMessage[]): string {
  const asked = messages.findLast(
    (message) => message.role === 'user' && textOf(message.content).trim() !== '',
  );
  const text = asked ? textOf(asked.content) : '';
  return text.length <= 2 * QUESTION_END
    ? text
    : `${text.slice(0, QUESTION_END)}\n${text.slice(-QUESTION_END)}`;
}
