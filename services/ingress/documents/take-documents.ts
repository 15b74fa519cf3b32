import {
  type ChatMessage,
  type ChatRequest,
  type FilePart,
  textOf,
} from '../../../shared/contracts/chat-request.ts';
import { type Document, type DocumentFormat } from '../../../shared/contracts/job-message.ts';
import { type EncodedDocument } from './decode.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { displayName } from '../../../shared/content/documents/display-name.ts';
import { type StoredFile, textName } from '../../../shared/content/files/stored-file.ts';
import { type InlineDocument } from './inline-document.ts';

export interface TakenDocument {
  /** Position among the request's documents, from 0. */
  index: number;
  name: string;
  mediaType: string;
  /** The id of an uploaded file. */
  fileId?: string;
  /** SHA-256 of the content. */
  version: string;
  content: TakenContent;
}

/** Text, bytes for a parser, or a reference to content that is already in the blob store. */
export type TakenContent = Document['content'] | { kind: 'bytes'; format: DocumentFormat; bytes: Buffer };

/** The caller's file with that id; undefined if the caller has no such file. */
export type FindFile = (fileId: string) => Promise<StoredFile | undefined>;

/** Decodes a document that was sent inside a request. Throws what `decodeDocument` throws. */
export type DecodeInline = (document: EncodedDocument) => Promise<InlineDocument>;

export interface TakenDocuments {
  /** The request without its file parts; the same object if it has none. */
  request: ChatRequest;
  documents: TakenDocument[];
  /** The text that passages are selected for: the last non-empty text of a user message, at most 4,000 characters of it. */
  question: string;
}

type UserMessage = Extract<ChatMessage, { role: 'user' }>;
type ContentPart = Exclude<UserMessage['content'], string>[number];

/** How many characters of the beginning and of the end are kept, because users ask before or after a pasted text. */
const QUESTION_END = 2_000;

/**
 * Moves the files out of the messages: they are passed separately and return as passages. A user message that had only files gets
 * a line that names them. Throws `invalid_value`, `unsupported_document` or `file_not_found` with the path of the first failing
 * part, and `store_unavailable` if a file could not be looked up.
 */
export async function takeDocuments(
  request: ChatRequest,
  findFile: FindFile,
  decode: DecodeInline,
): Promise<TakenDocuments> {
  const question = questionOf(request.messages);
  const parts = filesOf(request.messages);
  if (parts.length === 0) return { request, documents: [], question };
  if (parts.length > MAX_DOCUMENTS) throw tooManyDocuments();
  const files = await findAll(parts, findFile);
  const documents: TakenDocument[] = [];
  for (const part of parts) documents.push(await take(part, documents.length, { files, decode }));
  const names = Map.groupBy(documents, (_, index) => parts[index]?.message);
  const messages = request.messages.map((message, at) =>
    hasFile(message) ? withoutFiles(message, names.get(at) ?? []) : message,
  );
  return { request: { ...request, messages }, documents, question };
}

/** A file part and its location. */
interface PlacedPart {
  file: FilePart['file'];
  /** The index of its message. */
  message: number;
  /** `messages[0].content[1].file` */
  path: string;
}

function filesOf(messages: readonly ChatMessage[]): PlacedPart[] {
  return messages.flatMap((message, at) => (hasFile(message) ? partsOf(message, at) : []));
}

function partsOf({ content }: UserMessage & { content: ContentPart[] }, message: number): PlacedPart[] {
  return content.flatMap((part, at) =>
    isFile(part) ? [{ file: part.file, message, path: `messages[${message}].content[${at}].file` }] : [],
  );
}

/** Looks up each file once, even if a request names it several times. */
async function findAll(
  parts: readonly PlacedPart[],
  findFile: FindFile,
): Promise<Map<string, StoredFile | undefined>> {
  const ids = new Set(parts.flatMap(({ file }) => file.file_id ?? []));
  return new Map(await Promise.all([...ids].map(async (id) => [id, await findFile(id)] as const)));
}

/** Each document is processed by its own queue job. */
const MAX_DOCUMENTS = 256;

function tooManyDocuments(): TurnoutError {
  return new TurnoutError('invalid_value', {
    message: `A request may contain at most ${MAX_DOCUMENTS} files.`,
    param: 'messages',
  });
}

function hasFile(message: ChatMessage): message is UserMessage & { content: ContentPart[] } {
  return message.role === 'user' && typeof message.content !== 'string' && message.content.some(isFile);
}

function isFile(part: ContentPart): part is FilePart {
  return part.type === 'file';
}

/** Removes the files from a message. If nothing else remains, a line of text names them. */
function withoutFiles(
  message: UserMessage & { content: ContentPart[] },
  taken: readonly TakenDocument[],
): UserMessage {
  const rest = message.content.filter((part) => !isFile(part));
  if (rest.length > 0) return { ...message, content: rest };
  const names = taken.map(({ name }) => `"${name}"`);
  return { ...message, content: [{ type: 'text', text: `Attached: ${names.join(', ')}` }] };
}

async function take(
  { file, path }: PlacedPart,
  index: number,
  { files, decode }: { files: ReadonlyMap<string, StoredFile | undefined>; decode: DecodeInline },
): Promise<TakenDocument> {
  const { filename, file_data: data, file_id: id } = file;
  if (id !== undefined) return takeStored(files.get(id), { filename, index, param: `${path}.file_id` });
  const decoded = await decode({ data: data ?? '', filename, param: `${path}.file_data` });
  const { format, mediaType, version } = decoded;
  const content: TakenContent =
    format === 'text'
      ? { kind: 'inline', text: decoded.text }
      : {
          kind: 'bytes',
          format,
          bytes: Buffer.from(decoded.bytes.buffer, decoded.bytes.byteOffset, decoded.bytes.length),
        };
  return { index, name: displayName(filename, index), mediaType, version, content };
}

/**
 * Passes a stored file as its extracted text if that is available. Otherwise the context worker extracts the text, or finds it
 * extracted by then.
 */
function takeStored(
  file: StoredFile | undefined,
  { filename, index, param }: { filename: string | undefined; index: number; param: string },
): TakenDocument {
  if (!file) throw new TurnoutError('file_not_found', { param });
  const name = displayName(filename ?? file.filename, index);
  if (file.status === 'error') throw unreadable(name, file.details, param);
  const { id, mediaType, format, content: blob, text } = file;
  return {
    index,
    name,
    mediaType,
    fileId: id,
    version: blob.sha256,
    content: text ?? { kind: 'raw', format, blob, text: textName(id) },
  };
}

function unreadable(name: string, details: string | undefined, param: string): TurnoutError {
  return new TurnoutError('unsupported_document', {
    message: `The file "${name}" cannot be read. ${details ?? ''}`.trimEnd(),
    param,
  });
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
