import { type DocumentFormat } from '../../../shared/contracts/job-message.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { decodeText, utf16Of } from '../../../shared/content/documents/decode-text.ts';
import { documentKind } from './document-format.ts';

export interface EncodedDocument {
  /** A data URL (`data:text/plain;base64,...`) or bare base64. */
  data: string;
  /** Provides the media type if the data does not. */
  filename?: string | undefined;
  /** The path of the data in the request, for errors: `messages[0].content[1].file.file_data`. */
  param: string;
}

export type DecodedDocument =
  | { mediaType: string; format: 'text'; text: string }
  /** For a parser. The process that decodes does not parse it. */
  | { mediaType: string; format: Exclude<DocumentFormat, 'text'>; bytes: Buffer };

/**
 * Decodes a document that was sent inside a request. Text is decoded by its charset (UTF-8 unless the data URL names another) and
 * must be valid and free of NUL. Other readable formats, by `documentKind`, stay bytes.
 *
 * Throws `invalid_value` for invalid base64, and `unsupported_document` for a document that cannot be read, is empty or has an
 * unknown charset. Both name `param`.
 */
export function decodeDocument({ data, filename, param }: EncodedDocument): DecodedDocument {
  const { mediaType: declared, charset, base64 } = splitDataUrl(data, param);
  const bytes = fromBase64(base64, param);
  const kind = documentKind({ declared, filename, head: bytes, charset });
  if (typeof kind === 'string') throw unsupported(param, kind);
  const { format, mediaType } = kind;
  if (format === 'pdf' || format === 'docx') return { format, mediaType, bytes };
  // If the sender names no charset, the page itself may; its parser checks.
  if (format === 'html' && charset === undefined) return { format, mediaType, bytes };
  const text = textOf(bytes, charset, param);
  return format === 'html' ? { format, mediaType, bytes: Buffer.from(text) } : { format, mediaType, text };
}

function textOf(bytes: Buffer, charset: string | undefined, param: string): string {
  const wide = charset?.startsWith('utf-16') ?? utf16Of(bytes) !== undefined;
  if (bytes.includes(0) && !wide)
    throw unsupported(param, 'The document is not text. Send text, PDF, DOCX or HTML.');
  const text = toText(bytes, charset ?? 'utf-8', param);
  if (text.trim() === '') throw unsupported(param, 'The document is empty.');
  return text;
}

interface Parts {
  mediaType: string | undefined;
  charset: string | undefined;
  base64: string;
}

/** Parses a data URL (RFC 2397), base64 only. Ignores parameters other than `charset`. */
function splitDataUrl(data: string, param: string): Parts {
  if (!/^data:/i.test(data.slice(0, 5))) return { mediaType: undefined, charset: undefined, base64: data };
  const comma = data.indexOf(',');
  if (comma === -1 || comma > 500)
    throw invalid(
      param,
      'The data URL has no comma after its media type. Use data:<media type>;base64,<data>.',
    );
  const [type = '', ...parameters] = data.slice(5, comma).toLowerCase().split(';');
  if (parameters.pop()?.trim() !== 'base64')
    throw invalid(param, 'The data URL must be base64-encoded. Use data:<media type>;base64,<data>.');
  const charset = parameters.find((parameter) => parameter.trim().startsWith('charset='))?.split('=')[1];
  return {
    mediaType: type.trim() || undefined,
    charset: charset?.replaceAll('"', '').trim(),
    base64: data.slice(comma + 1),
  };
}

/** Line breaks are allowed (RFC 2045) but rare, so white space is removed only if the first attempt fails. */
function fromBase64(base64: string, param: string): Buffer {
  const bytes = exactly(base64) ?? exactly(base64.replaceAll(/\s+/g, ''));
  if (!bytes) throw invalid(param, 'The data is not valid base64.');
  return bytes;
}

/** Node skips invalid characters. The length of the result shows whether it did. */
function exactly(base64: string): Buffer | undefined {
  const bytes = Buffer.from(base64, 'base64');
  const digits = base64.length - (base64.endsWith('==') ? 2 : base64.endsWith('=') ? 1 : 0);
  return digits % 4 !== 1 && bytes.length === Math.floor((digits * 3) / 4) ? bytes : undefined;
}

function toText(bytes: Buffer, charset: string, param: string): string {
  try {
    return decodeText(bytes, charset);
  } catch (cause) {
    if (cause instanceof RangeError)
      throw unsupported(param, 'The charset of the document is not supported. Send it as UTF-8.', cause);
    throw unsupported(param, `The document is not valid text in ${charset}.`, cause);
  }
}

function invalid(param: string, message: string): TurnoutError {
  return new TurnoutError('invalid_value', { message, param });
}

function unsupported(param: string, message: string, cause?: unknown): TurnoutError {
  return new TurnoutError('unsupported_document', { message, param, cause });
}
