import { pdfOfContents } from '../../test/harness/documents.ts';
import { generator } from '../../test/upstream/core/random.ts';

export interface LongPdf {
  bytes: Buffer;
  question: string;
  /** Occurs once in the document. No other sentence has the question's words. */
  answer: string;
}

const LINES_ON_PAGE = 50;
const WORDS_IN_LINE = 11;
const LINES_IN_PARAGRAPH = 10;
const VOCABULARY = 8_000;
const SYLLABLES = 'ba ke li mo nu ra se ti vo xa de fi go hu'.split(' ');

/** A PDF of about 550 made-up words per page, some frequent, most of them rare. Deterministic for a seed. */
export function longPdf(pages: number, seed: number): LongPdf {
  const random = generator(seed);
  const factPage = Math.floor(random() * pages);
  const year = 1850 + Math.floor(random() * 150);
  const fact = `The locomotive Halden was rebuilt in ${year}.`;
  const contents = Array.from({ length: pages }, (_, page) => {
    const lines = Array.from({ length: LINES_ON_PAGE }, () => lineOf(random));
    return pageOf(page === factPage ? [fact, ...lines.slice(1)] : lines);
  });
  return {
    bytes: pdfOfContents(contents),
    question: 'When was the locomotive Halden rebuilt?',
    answer: fact,
  };
}

function lineOf(random: () => number): string {
  const words = Array.from({ length: WORDS_IN_LINE }, () => wordOf(Math.floor(VOCABULARY * random() ** 3)));
  return `${words.join(' ')}.`;
}

function wordOf(rank: number): string {
  const digits = rank.toString(SYLLABLES.length).padStart(2, '0');
  return Array.from(digits, (digit) => SYLLABLES[Number.parseInt(digit, SYLLABLES.length)]).join('');
}

function pageOf(lines: readonly string[]): Buffer {
  const shown = lines.map((line, at) => `(${line}) Tj T*${(at + 1) % LINES_IN_PARAGRAPH === 0 ? ' T*' : ''}`);
  return Buffer.from(`BT /F1 10 Tf 12 TL 54 740 Td\n${shown.join('\n')}\nET`);
}
