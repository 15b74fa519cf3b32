import { TurnoutError } from '../errors/turnout-error.ts';

export interface EncodedDocument {
  /** A data URL (`data:text/plain;base64,...`) or bare base64. */
  data: string;
  /** Tells the media type when the data does not. */
  filename?: string | undefined;
  /** Where the data stands in the request, for errors: `messages[0].content[1].file.file_data`. */
  param: string;
}

export interface DecodedDocument {
  mediaType: string;
  text: string;
}

const UNKNOWN = 'application/octet-stream';

const TYPE_OF_EXTENSION: Readonly<Record<string, string>> = {
  csv: 'text/csv',
  htm: 'text/html',
  html: 'text/html',
  json: 'application/json',
  log: 'text/plain',
  markdown: 'text/markdown',
  md: 'text/markdown',
  pdf: 'application/pdf',
  txt: 'text/plain',
  xml: 'application/xml',
  yaml: 'application/yaml',
  yml: 'application/yaml',
};

/** Kinds that are no text even when their bytes happen to be valid UTF-8 (a PDF can be pure ASCII). */
const BINARY =
  /^(?:(?:image|audio|video|font|model)\/(?!.*\+xml$)|application\/(?:pdf|zip|gzip|x-tar|rtf|msword|vnd\.(?!.*\+(?:json|xml)$)))/;

/**
 * The text of a document that came inside a request. What is text is decided by the bytes: valid in their charset (UTF-8
 * unless the data URL names another), without NUL, not of a kind known to be binary.
 *
 * Throws `invalid_value` for what is not base64, `unsupported_document` for what is not text, is empty or is of an unknown
 * charset; both name `param`.
 */
export function decodeDocument({ data, filename, param }: EncodedDocument): DecodedDocument {
  const { mediaType: declared, charset, base64 } = splitDataUrl(data, param);
  const mediaType = declared ?? typeOfName(filename);
  if (BINARY.test(mediaType))
    throw unsupported(param, `Documents of type ${mediaType} cannot be read; send text.`);
  const bytes = fromBase64(base64, param);
  if (bytes.includes(0) && !charset.startsWith('utf-16'))
    throw unsupported(param, 'The document is not text.');
  if (bytes.subarray(0, 5).equals(PDF_MAGIC))
    throw unsupported(param, 'PDF documents cannot be read; send text.');
  const text = toText(bytes, charset, param);
  if (text.trim() === '') throw unsupported(param, 'The document is empty.');
  return { mediaType: mediaType === UNKNOWN ? 'text/plain' : mediaType, text };
}

const PDF_MAGIC = Buffer.from('%PDF-');

interface Parts {
  mediaType: string | undefined;
  charset: string;
  base64: string;
}

/** RFC 2397, base64 only. Parameters other than `charset` mean nothing to us. */
function splitDataUrl(data: string, param: string): Parts {
  if (!/^data:/i.test(data.slice(0, 5))) return { mediaType: undefined, charset: 'utf-8', base64: data };
  const comma = data.indexOf(',');
  if (comma === -1 || comma > 500) throw invalid(param, 'The data URL has no comma after its media type.');
  const [type = '', ...parameters] = data.slice(5, comma).toLowerCase().split(';');
  if (parameters.pop()?.trim() !== 'base64')
    throw invalid(param, 'The data URL must be base64: data:<media type>;base64,<data>.');
  const charset = parameters.find((parameter) => parameter.trim().startsWith('charset='))?.split('=')[1];
  return {
    mediaType: type.trim() || undefined,
    charset: charset?.replaceAll('"', '').trim() ?? 'utf-8',
    base64: data.slice(comma + 1),
  };
}

function typeOfName(filename: string | undefined): string {
  const extension = /\.([A-Za-z0-9]{1,10})$/.exec(filename ?? '')?.[1]?.toLowerCase() ?? '';
  return Object.hasOwn(TYPE_OF_EXTENSION, extension) ? (TYPE_OF_EXTENSION[extension] ?? UNKNOWN) : UNKNOWN;
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
    return new TextDecoder(charset, { fatal: true }).decode(bytes);
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
