import { type DocumentFormat } from '../../../shared/contracts/job-message.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { decodeText, utf16Of } from '../../../shared/content/documents/decode-text.ts';
import { documentKind } from './document-format.ts';

export interface EncodedDocument {
  /** A data URL (`data:text/plain;base64,...`) or bare base64. */
  data: string;
  /** Tells the media type when the data does not. */
  filename?: string | undefined;
  /** Where the data stands in the request, for errors: `messages[0].content[1].file.file_data`. */
  param: string;
}

export type DecodedDocument =
  | { mediaType: string; format: 'text'; text: string }
  /** To be read by a parser, which is nothing for the process that decodes. */
  | { mediaType: string; format: Exclude<DocumentFormat, 'text'>; bytes: Buffer };

/**
 * A document that came inside a request. Text is decoded: valid in its charset (UTF-8 unless the data URL names another),
 * without NUL. What else can be read, by `documentKind`, stays bytes.
 *
 * Throws `invalid_value` for what is not base64, `unsupported_document` for what cannot be read, is empty or is of an
 * unknown charset; both name `param`.
 */
export function decodeDocument({ data, filename, param }: EncodedDocument): DecodedDocument {
  const { mediaType: declared, charset, base64 } = splitDataUrl(data, param);
  const bytes = fromBase64(base64, param);
  const kind = documentKind({ declared, filename, head: bytes, charset });
  if (typeof kind === 'string') throw unsupported(param, kind);
  const { format, mediaType } = kind;
  if (format === 'pdf' || format === 'docx') return { format, mediaType, bytes };
  // Where the sender names no charset, the page itself may; whoever reads it looks.
  if (format === 'html' && charset === undefined) return { format, mediaType, bytes };
  const text = textOf(bytes, charset, param);
  return format === 'html' ? { format, mediaType, bytes: Buffer.from(text) } : { format, mediaType, text };
}

function textOf(bytes: Buffer, charset: string | undefined, param: string): string {
  const wide = charset?.startsWith('utf-16') ?? utf16Of(bytes) !== undefined;
  if (bytes.includes(0) && !wide) throw unsupported(param, 'The document is not text.');
  const text = toText(bytes, charset ?? 'utf-8', param);
  if (text.trim() === '') throw unsupported(param, 'The document is empty.');
  return text;
}

interface Parts {
  mediaType: string | undefined;
  charset: string | undefined;
  base64: string;
}

/** RFC 2397, base64 only. Parameters other than `charset` mean nothing to us. */
function splitDataUrl(data: string, param: string): Parts {
  if (!/^data:/i.test(data.slice(0, 5))) return { mediaType: undefined, charset: undefined, base64: data };
  const comma = data.indexOf(',');
  if (comma === -1 || comma > 500) throw invalid(param, 'The data URL has no comma after its media type.');
  const [type = '', ...parameters] = data.slice(5, comma).toLowerCase().split(';');
  if (parameters.pop()?.trim() !== 'base64')
    throw invalid(param, 'The data URL must be base64: data:<media type>;base64,<data>.');
  const charset = parameters.find((parameter) => parameter.trim().startsWith('charset='))?.split('=')[1];
  return {
    mediaType: type.trim() || undefined,
    charset: charset?.replaceAll('"', '').trim(),
    base64: data.slice(comma + 1),
  };
}

/** Line breaks are allowed (RFC 2045), but rare: only what fails without is searched for them. */
function fromBase64(base64: string, param: string): Buffer {
  const bytes = exactly(base64) ?? exactly(base64.replaceAll(/\s+/g, ''));
  if (!bytes) throw invalid(param, 'The data is not valid base64.');
  return bytes;
}

/** Node skips what is not base64; the length of the result tells whether it had to. */
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
      throw unsupported(param, 'The charset of the document is unknown.', cause);
    throw unsupported(param, `The document is not text in ${charset}.`, cause);
  }
}

function invalid(param: string, message: string): TurnoutError {
  return new TurnoutError('invalid_value', { message, param });
}

function unsupported(param: string, message: string, cause?: unknown): TurnoutError {
  return new TurnoutError('unsupported_document', { message, param, cause });
}
