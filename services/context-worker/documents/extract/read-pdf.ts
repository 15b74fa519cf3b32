import { getDocumentProxy } from 'unpdf';
import { type TextCollector } from './text-collector.ts';
import { UnreadableDocument } from './unreadable-document.ts';

/** PDF.js's verbosity level "errors only". */
const QUIET = 0;

/** The text of a PDF, page by page in drawing order, with a blank line between pages. Scripts in the PDF are not run. */
export async function readPdf(bytes: Uint8Array, into: TextCollector): Promise<void> {
  const pdf = await getDocumentProxy(bytes, { verbosity: QUIET }).catch((error: unknown) => {
    const locked = error instanceof Error && error.name === 'PasswordException';
    throw new UnreadableDocument(locked ? 'password' : 'damaged', { cause: error });
  });
  for (let number = 1; number <= pdf.numPages; number += 1) {
    const page = await pdf.getPage(number);
    const { items } = await page.getTextContent();
    if (number > 1) into.add('\n\n');
    for (const item of items) if ('str' in item) into.add(item.hasEOL ? `${item.str}\n` : item.str);
    page.cleanup();
  }
}
