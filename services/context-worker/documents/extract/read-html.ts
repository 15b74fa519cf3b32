import { convert, type HtmlToTextOptions } from 'html-to-text';
import { decodeText } from '../../../../shared/content/documents/decode-text.ts';
import { checkNesting } from './check-nesting.ts';
import { type TextCollector } from './text-collector.ts';

const OPTIONS: HtmlToTextOptions = {
  wordwrap: false,
  // The limit is on what is found, and on what finding it takes.
  limits: { maxInputLength: Number.MAX_SAFE_INTEGER },
  selectors: [
    { selector: 'a', options: { ignoreHref: true } },
    { selector: 'img', format: 'skip' },
    { selector: 'nav', format: 'skip' },
    { selector: 'table', format: 'dataTable' },
    ...['h1', 'h2', 'h3', 'h4', 'h5', 'h6'].map((selector) => ({ selector, options: { uppercase: false } })),
  ],
};

/** What a reader sees of a page: no scripts, styles, navigation or addresses. */
export function readHtml(bytes: Uint8Array, into: TextCollector): void {
  const html = decodeHtml(bytes);
  checkNesting(html, { xmlMode: false });
  into.add(convert(html, OPTIONS));
}

/** Where pages name their charset: within the first 1,024 bytes (WHATWG HTML, 4.2.5.4). */
const PRESCAN_BYTES = 1_024;

/** UTF-8 where it is valid, whatever the page says; else what the page says; else windows-1252, as browsers do. */
function decodeHtml(bytes: Uint8Array): string {
  try {
    return decodeText(bytes);
  } catch {
    const head = Buffer.from(bytes.subarray(0, PRESCAN_BYTES)).toString('latin1');
    const charset = /<meta[^>]{1,200}?charset\s{0,8}=\s{0,8}["']?([\w-]{1,40})/i.exec(head)?.[1];
    return new TextDecoder(charset ?? 'windows-1252').decode(bytes);
  }
}
