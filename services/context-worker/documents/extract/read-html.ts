import { convert, type HtmlToTextOptions } from 'html-to-text';
import { decodeText } from '../../../../shared/content/documents/decode-text.ts';
import { checkNesting } from './check-nesting.ts';
import { type TextCollector } from './text-collector.ts';

const OPTIONS: HtmlToTextOptions = {
  wordwrap: false,
  // No limit here: the text that is found and the resources that it takes are limited elsewhere.
  limits: { maxInputLength: Number.MAX_SAFE_INTEGER },
  selectors: [
    { selector: 'a', options: { ignoreHref: true } },
    { selector: 'img', format: 'skip' },
    { selector: 'nav', format: 'skip' },
    { selector: 'table', format: 'dataTable' },
    ...['h1', 'h2', 'h3', 'h4', 'h5', 'h6'].map((selector) => ({ selector, options: { uppercase: false } })),
  ],
};

/** The visible text of a page, without scripts, styles, navigation or link addresses. */
export function readHtml(bytes: Uint8Array, into: TextCollector): void {
  const html = decodeHtml(bytes);
  checkNesting(html, { xmlMode: false });
  into.add(convert(html, OPTIONS));
}

/** Pages declare their charset within the first 1,024 bytes (WHATWG HTML, 4.2.5.4). */
const PRESCAN_BYTES = 1_024;

/** UTF-8 if the bytes are valid UTF-8, even if the page declares another charset; else the declared charset; else windows-1252, as in browsers. */
function decodeHtml(bytes: Uint8Array): string {
  try {
    return decodeText(bytes);
  } catch {
    const head = Buffer.from(bytes.subarray(0, PRESCAN_BYTES)).toString('latin1');
    const charset = /<meta[^>]{1,200}?charset\s{0,8}=\s{0,8}["']?([\w-]{1,40})/i.exec(head)?.[1];
    return new TextDecoder(charset ?? 'windows-1252').decode(bytes);
  }
}
