import { type FastifyRequest } from 'fastify';
import { type MultipartFile } from '@fastify/multipart';
import { type BlobStore } from '../../../shared/platform/blobs/blob-store.ts';
import { type BlobRef } from '../../../shared/platform/blobs/blob-ref.ts';
import { documentKind, type DocumentKind, HEAD_BYTES } from '../documents/document-format.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { safeFileName } from './file-name.ts';
import { FIELD_NAMES, parseUploadFields, type UploadFields } from './upload-fields.ts';

/** A file whose bytes are stored but that has no record yet. */
export interface ReceivedUpload extends UploadFields, DocumentKind {
  filename: string;
  content: BlobRef;
}

interface ReceiveOptions {
  blobs: BlobStore;
  /** The name under which the bytes are stored. */
  name: string;
  maxBytes: number;
}

/** The maximum size of a form besides the file itself. Bytes. */
const FORM_BYTES = 64 * 1024;

/**
 * Reads a multipart form and streams its file into the blob store. Form fields may come before or after the file. Throws
 * `unsupported_media_type`, `invalid_value`, `unsupported_document` and `body_too_large`; bytes may then remain under `name`.
 */
export async function receiveUpload(
  request: FastifyRequest,
  options: ReceiveOptions,
): Promise<ReceivedUpload> {
  if (!request.isMultipart())
    throw new TurnoutError('unsupported_media_type', {
      message: 'The request body must be multipart/form-data.',
    });
  if (Number(request.headers['content-length'] ?? 0) > options.maxBytes + FORM_BYTES)
    throw tooLarge(options.maxBytes);
  const fields = new Map<string, unknown>();
  let file: Omit<ReceivedUpload, keyof UploadFields> | undefined;
  for await (const part of partsOf(request)) {
    if (part.type === 'field') fields.set(part.fieldname, part.value);
    else file = await storeFile(part, options);
  }
  if (!file) throw invalidFile("'file' is required and must be a file.");
  return { ...file, ...parseUploadFields(fields) };
}

/** Limits the parts of a form far above what an upload needs, to reject forms that consist of many parts. */
async function* partsOf(request: FastifyRequest) {
  try {
    yield* request.parts({
      limits: {
        files: 1,
        fields: FIELD_NAMES.length + 5,
        fieldNameSize: 100,
        fieldSize: 1_000,
        headerPairs: 50,
        // The blob store counts the bytes of the file.
        fileSize: Infinity,
      },
    });
  } catch (error) {
    throw malformed(error);
  }
}

async function storeFile(
  part: MultipartFile,
  { blobs, name, maxBytes }: ReceiveOptions,
): Promise<Omit<ReceivedUpload, keyof UploadFields>> {
  if (part.fieldname !== 'file') {
    part.file.destroy();
    throw invalidFile("The file must be sent in the field 'file'.");
  }
  const filename = safeFileName(part.filename);
  const chunks = part.file[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  const head = await readHead(chunks);
  try {
    if (head.length === 0) throw unsupported('The file is empty.');
    const kind = documentKind({ declared: typeOf(part.mimetype), filename, head });
    if (typeof kind === 'string') throw unsupported(kind);
    const content = await blobs.putStream(name, wholeOf(head, chunks), maxBytes);
    return { ...kind, filename, content };
  } catch (error) {
    part.file.destroy();
    throw error instanceof TurnoutError && error.code === 'body_too_large' ? tooLarge(maxBytes) : error;
  }
}

/** Removes parameters: `text/csv; charset=utf-8` becomes `text/csv`. */
function typeOf(mimetype: string): string | undefined {
  return mimetype.split(';')[0];
}

/** Reads enough bytes to detect the format, or the whole file if it is shorter. */
async function readHead(chunks: AsyncIterator<Buffer>): Promise<Buffer> {
  const read: Buffer[] = [];
  for (let bytes = 0; bytes < HEAD_BYTES;) {
    const chunk = await nextOf(chunks);
    if (!chunk) break;
    read.push(chunk);
    bytes += chunk.length;
  }
  return Buffer.concat(read);
}

async function* wholeOf(head: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  yield head;
  for (let chunk = await nextOf(rest); chunk; chunk = await nextOf(rest)) yield chunk;
}

async function nextOf(chunks: AsyncIterator<Buffer>): Promise<Buffer | undefined> {
  try {
    const next = await chunks.next();
    return next.done ? undefined : next.value;
  } catch (error) {
    throw malformed(error);
  }
}

function malformed(cause: unknown): TurnoutError {
  return new TurnoutError('invalid_value', {
    message:
      'The request body is not valid multipart/form-data, is incomplete, or has too many parts. Send one file and its fields.',
    cause,
  });
}

function invalidFile(message: string): TurnoutError {
  return new TurnoutError('invalid_value', { message, param: 'file' });
}

function unsupported(message: string): TurnoutError {
  return new TurnoutError('unsupported_document', { message, param: 'file' });
}

function tooLarge(maxBytes: number): TurnoutError {
  return new TurnoutError('body_too_large', {
    message: `The file is larger than the limit of ${maxBytes} bytes.`,
    param: 'file',
  });
}
