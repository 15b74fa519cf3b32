import { type DocumentFormat } from '../../../../shared/contracts/job-message.ts';
import { decodeText, utf16Of } from '../../../../shared/content/documents/decode-text.ts';
import { createTextCollector, type TextCollector } from './text-collector.ts';
import { UnreadableDocument } from './unreadable-document.ts';

export interface DocumentInput {
  format: DocumentFormat;
  bytes: Uint8Array;
  /** The limit for the text, in UTF-8. */
  maxTextBytes: number;
}

/**
 * The text of a document. Throws `UnreadableDocument`. The document determines how much time and memory this takes, so `extractor.ts`
 * runs it in a thread that can be terminated.
 */
export async function readDocument({ format, bytes, maxTextBytes }: DocumentInput): Promise<string> {
  const collector = createTextCollector(maxTextBytes);
  try {
    const read = await readers[format]();
    await read(bytes, collector);
  } catch (error) {
    throw asUnreadable(error);
  }
  const text = collector.text();
  if (text.trim() === '') throw new UnreadableDocument('no_text');
  return text;
}

type Reader = (bytes: Uint8Array, into: TextCollector) => void | Promise<void>;

/** Loaded on demand: each document has a new thread, and loading the PDF parser alone takes 100 ms. */
const readers: Readonly<Record<DocumentFormat, () => Promise<Reader>>> = {
  pdf: async () => (await import('./read-pdf.ts')).readPdf,
  docx: async () => (await import('./read-docx.ts')).readDocx,
  html: async () => (await import('./read-html.ts')).readHtml,
  text: () => Promise.resolve(readText),
};

function readText(bytes: Uint8Array, into: TextCollector): void {
  if (bytes.includes(0) && !utf16Of(bytes)) throw new UnreadableDocument('not_text');
  try {
    into.add(decodeText(bytes));
  } catch (error) {
    throw error instanceof UnreadableDocument ? error : new UnreadableDocument('not_text', { cause: error });
  }
}

/** Every error of a parser is caused by the document. Only its message tells a stack overflow from other `RangeError`s. */
function asUnreadable(error: unknown): UnreadableDocument {
  if (error instanceof UnreadableDocument) return error;
  const full = error instanceof RangeError && error.message.includes('call stack');
  return new UnreadableDocument(full ? 'too_deep' : 'damaged', { cause: error });
}
