import { type DocumentFormat } from '../../../shared/contracts/job-message.ts';
import { utf16Of } from '../../../shared/content/documents/decode-text.ts';

const UNKNOWN = 'application/octet-stream';
const DOCX = 'application/vnd.openxmlformats-officedocument.wordprocessingml.document';

const TYPE_OF_EXTENSION: Readonly<Record<string, string>> = {
  csv: 'text/csv',
  docx: DOCX,
  htm: 'text/html',
  html: 'text/html',
  json: 'application/json',
  jsonl: 'application/jsonl',
  log: 'text/plain',
  markdown: 'text/markdown',
  md: 'text/markdown',
  pdf: 'application/pdf',
  txt: 'text/plain',
  xhtml: 'application/xhtml+xml',
  xml: 'application/xml',
  yaml: 'application/yaml',
  yml: 'application/yaml',
};

/** Media types that senders use for any unknown file. A DOCX is also a ZIP archive. */
const VAGUE: ReadonlySet<string> = new Set(['', UNKNOWN, 'binary/octet-stream', 'application/zip']);

/** Media types that are never text, even if their bytes are valid UTF-8 (a PDF can be pure ASCII). */
const BINARY =
  /^(?:(?:image|audio|video|font|model)\/(?!.*\+xml$)|application\/(?:pdf|zip|gzip|x-tar|rtf|msword|vnd\.(?!.*\+(?:json|xml)$)))/;
const PAGE: ReadonlySet<string> = new Set(['text/html', 'application/xhtml+xml']);

const PDF_MAGIC = Buffer.from('%PDF-');
const ZIP_MAGIC = Buffer.from('PK\x03\x04');
/** The signature of a compound file (MS-CFB 2.2), which Office uses for encrypted DOCX files and for its old formats. */
const COMPOUND_MAGIC = Buffer.from('d0cf11e0a1b11ae1', 'hex');
/** How far into a file the header of a PDF may begin (ISO 32000-1, annex H.3.4.1), and how much of a document is examined. Bytes. */
export const HEAD_BYTES = 1_024;

export interface DocumentKind {
  format: DocumentFormat;
  mediaType: string;
}

interface Signs {
  /** The media type that the sender declares, without parameters; undefined if there is none. */
  declared: string | undefined;
  filename: string | undefined;
  /** The first bytes of the document; at most `HEAD_BYTES` are examined. */
  head: Buffer;
  /** The charset that the sender declares. UTF-16 text may contain NUL bytes. */
  charset?: string | undefined;
}

/**
 * Determines the format of a document by its first bytes, then by the declared media type, then by the file name. The bytes
 * decide whether it is text: no NUL, and no media type known to be binary. If it cannot be read, returns the reason.
 */
export function documentKind({ declared, filename, head, charset }: Signs): DocumentKind | string {
  const said = declared?.trim().toLowerCase() ?? '';
  const mediaType = VAGUE.has(said) ? typeOfName(filename, said) : said;
  if (isPdf(head, mediaType)) return { format: 'pdf', mediaType: 'application/pdf' };
  if (head.subarray(0, 4).equals(ZIP_MAGIC) && mediaType === DOCX) return { format: 'docx', mediaType };
  if (mediaType === DOCX && head.subarray(0, 8).equals(COMPOUND_MAGIC))
    return 'The document is protected by a password, or is in the old DOC format. Send an unprotected DOCX.';
  if (mediaType === DOCX) return 'The document is named or declared as DOCX but is not a DOCX file.';
  if (mediaType === 'application/pdf')
    return 'The document is named or declared as PDF but is not a PDF file.';
  if (BINARY.test(mediaType))
    return `Documents of type ${shown(mediaType)} cannot be read. Send text, PDF, DOCX or HTML.`;
  const wide = charset?.startsWith('utf-16') ?? utf16Of(head) !== undefined;
  if (head.subarray(0, HEAD_BYTES).includes(0) && !wide)
    return 'The document is not text. Send text, PDF, DOCX or HTML.';
  if (PAGE.has(mediaType)) return { format: 'html', mediaType };
  return { format: 'text', mediaType: VAGUE.has(mediaType) ? 'text/plain' : mediaType };
}

function isPdf(head: Buffer, mediaType: string): boolean {
  const at = head.subarray(0, HEAD_BYTES).indexOf(PDF_MAGIC);
  return at === 0 || (at > 0 && mediaType === 'application/pdf');
}

function typeOfName(filename: string | undefined, otherwise: string): string {
  const extension = /\.([A-Za-z0-9]{1,10})$/.exec(filename ?? '')?.[1]?.toLowerCase() ?? '';
  const known = Object.hasOwn(TYPE_OF_EXTENSION, extension) ? TYPE_OF_EXTENSION[extension] : undefined;
  return known ?? otherwise;
}

/** Makes the sender's media type safe to show in an error. */
function shown(mediaType: string): string {
  return mediaType.slice(0, 100).replaceAll(/[^a-z0-9/.+_-]/g, '?');
}
