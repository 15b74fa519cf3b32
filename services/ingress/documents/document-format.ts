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

/** What senders say of any file that they know nothing about; a DOCX is a ZIP archive as well. */
const VAGUE: ReadonlySet<string> = new Set(['', UNKNOWN, 'binary/octet-stream', 'application/zip']);

/** Kinds that are no text even when their bytes happen to be valid UTF-8 (a PDF can be pure ASCII). */
const BINARY =
  /^(?:(?:image|audio|video|font|model)\/(?!.*\+xml$)|application\/(?:pdf|zip|gzip|x-tar|rtf|msword|vnd\.(?!.*\+(?:json|xml)$)))/;
const PAGE: ReadonlySet<string> = new Set(['text/html', 'application/xhtml+xml']);

const PDF_MAGIC = Buffer.from('%PDF-');
const ZIP_MAGIC = Buffer.from('PK\x03\x04');
/** Of a compound file (MS-CFB 2.2): what Office wraps an encrypted DOCX in, and what its old formats are. */
const COMPOUND_MAGIC = Buffer.from('d0cf11e0a1b11ae1', 'hex');
/** Where a PDF may begin (ISO 32000-1, annex H.3.4.1), and how much of a document is looked at. Bytes. */
export const HEAD_BYTES = 1_024;

export interface DocumentKind {
  format: DocumentFormat;
  mediaType: string;
}

interface Signs {
  /** What the sender says, without parameters; undefined when it says nothing. */
  declared: string | undefined;
  filename: string | undefined;
  /** The first bytes, at most `HEAD_BYTES` are looked at. */
  head: Buffer;
  /** The charset that the sender names: UTF-16 may have NUL in it. */
  charset?: string | undefined;
}

/**
 * What a document is: by its first bytes, then by the type that the sender names, then by its name. What is text is decided
 * by the bytes: without NUL, and not of a kind known to be binary. Returns why it cannot be read where it is none of these.
 */
export function documentKind({ declared, filename, head, charset }: Signs): DocumentKind | string {
  const said = declared?.trim().toLowerCase() ?? '';
  const mediaType = VAGUE.has(said) ? typeOfName(filename, said) : said;
  if (isPdf(head, mediaType)) return { format: 'pdf', mediaType: 'application/pdf' };
  if (head.subarray(0, 4).equals(ZIP_MAGIC) && mediaType === DOCX) return { format: 'docx', mediaType };
  if (mediaType === DOCX && head.subarray(0, 8).equals(COMPOUND_MAGIC))
    return 'The document is protected by a password, or a DOC of an old version of Word.';
  if (mediaType === DOCX) return 'The document is not a DOCX, though it is called one.';
  if (mediaType === 'application/pdf') return 'The document is not a PDF, though it is called one.';
  if (BINARY.test(mediaType)) return `Documents of type ${shown(mediaType)} cannot be read.`;
  const wide = charset?.startsWith('utf-16') ?? utf16Of(head) !== undefined;
  if (head.subarray(0, HEAD_BYTES).includes(0) && !wide) return 'The document is not text.';
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

/** It comes from the sender. */
function shown(mediaType: string): string {
  return mediaType.slice(0, 100).replaceAll(/[^a-z0-9/.+_-]/g, '?');
}
