import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, describe, expect, jest, test } from '@jest/globals';
import {
  docxBomb,
  docxOf,
  docxOfXml,
  pdfBomb,
  pdfOf,
  pdfOfContents,
} from '../../../../test/harness/documents.ts';
import { type DocumentFormat } from '../../../../shared/contracts/job-message.ts';
import { createExtractor, type Extractor, type ExtractorLimits } from './extractor.ts';

jest.setTimeout(60_000);

const LIMITS: ExtractorLimits = {
  cpuMs: 15_000,
  timeoutMs: 60_000,
  memoryMb: 64,
  maxTextBytes: 1_000_000,
  concurrency: 2,
};

const open: Extractor[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((extractor) => extractor.close()));
});

function extractorOf(limits: Partial<ExtractorLimits> = {}): Extractor {
  const extractor = createExtractor({ ...LIMITS, ...limits });
  open.push(extractor);
  return extractor;
}

async function textOf(format: DocumentFormat, bytes: Buffer | string, limits: Partial<ExtractorLimits> = {}) {
  return (await extractorOf(limits).extract({ user: 'ann', format, bytes: Buffer.from(bytes) })).toString();
}

const PAGE = `<html><head><title>Timetable</title><style>p { color: red }</style></head>
<body><nav>Home</nav><h1>Ostheim</h1><p>Night train &amp; bus, <a href="/map">platform 11</a>.</p>
<table><tr><td>07:12</td><td>Ostheim</td></tr></table><script>alert(1)</script></body></html>`;

const latin1Page = Buffer.from('<meta charset="iso-8859-1"><p>D\xe9p\xf4t</p>', 'latin1');

describe('the extractor reads', () => {
  test.each<[string, DocumentFormat, Buffer | string, string]>([
    ['a PDF, page by page', 'pdf', pdfOf('Platform 11', 'Page two'), 'Platform 11\n\nPage two'],
    ['a DOCX', 'docx', docxOf('Dépôt', 'A &amp; B'), 'Dépôt\n\nA & B\n\n'],
    [
      'a page as a reader sees it',
      'html',
      PAGE,
      'Ostheim\n\nNight train & bus, platform 11.\n\n07:12   Ostheim',
    ],
    ['a page in its own charset', 'html', latin1Page, 'Dépôt'],
    ['text', 'text', 'Weiche 7 — 道岔', 'Weiche 7 — 道岔'],
    ['UTF-16 with a byte order mark', 'text', Buffer.from('\uFEFFdépôt', 'utf16le'), 'dépôt'],
  ])('%s', async (_what, format, bytes, text) => {
    expect(await textOf(format, bytes)).toBe(text);
  });
});

const LONG_DRAWING = pdfOfContents([
  Buffer.from(`BT /F1 12 Tf 72 720 Td ${'(abc) Tj '.repeat(1_000_000)}ET`),
]);
const WIDE_TABLE = '<table><tr><td colspan=1000000>x</td></tr></table>'.repeat(3);
const WORD = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"';
const manyParagraphs = docxOfXml(
  `<w:document ${WORD}><w:body>${'<w:p/>'.repeat(1_500_000)}</w:body></w:document>`,
);
const deepDocx = (depth: number) =>
  docxOfXml(
    `<w:document ${WORD}><w:body>${'<w:ins>'.repeat(depth)}${'</w:ins>'.repeat(depth)}</w:body></w:document>`,
  );

describe('a hostile document fails alone, with the reason', () => {
  test.each<[string, DocumentFormat, Buffer | string, string, Partial<ExtractorLimits>]>([
    ['a PDF that unpacks to 2 GB', 'pdf', pdfBomb(2_000), 'too_large', {}],
    ['a DOCX that unpacks to 2 GB', 'docx', docxBomb(2_000), 'too_large', {}],
    ['a DOCX whose parts fill the heap', 'docx', manyParagraphs, 'too_large', {}],
    ['a PDF that takes too much time', 'pdf', LONG_DRAWING, 'too_slow', { timeoutMs: 400 }],
    ['a PDF that takes too much processor time', 'pdf', LONG_DRAWING, 'too_slow', { cpuMs: 400 }],
    ['a table of a million columns', 'html', WIDE_TABLE, 'too_slow', { cpuMs: 400, memoryMb: 1_024 }],
    ['a page of 20,000 nested parts', 'html', '<div>'.repeat(20_000), 'too_deep', {}],
    ['a page of 200,000 nested parts', 'html', '<i>'.repeat(200_000), 'too_deep', { cpuMs: 3_000 }],
    ['a DOCX of 200,000 nested parts', 'docx', deepDocx(200_000), 'too_deep', { cpuMs: 3_000 }],
    [
      'more text than is allowed',
      'html',
      '<p>word</p>'.repeat(1_000),
      'too_much_text',
      { maxTextBytes: 900 },
    ],
    ['bytes that are not a PDF', 'pdf', '%PDF-1.7 and then nothing', 'damaged', {}],
    ['bytes that are not a DOCX', 'docx', 'PK\x03\x04 and then nothing', 'damaged', {}],
    ['a PDF without text', 'pdf', pdfOfContents([Buffer.from('0 0 10 10 re f')]), 'no_text', {}],
    ['an empty page', 'html', '<p> </p>', 'no_text', {}],
    ['bytes that are not text', 'text', Buffer.from([0x61, 0xff, 0x62]), 'not_text', {}],
    ['text with NUL', 'text', 'a\0b', 'not_text', {}],
  ])('%s', async (_what, format, bytes, reason, limits) => {
    await expect(textOf(format, bytes, limits)).rejects.toMatchObject({ name: 'UnreadableDocument', reason });
  });
});

test('void elements and unclosed elements do not count as nested', async () => {
  const page = '<p>Platform<br>'.repeat(2_000);
  expect(await textOf('html', page)).toContain('Platform');
});

test('a hostile document neither delays nor damages other documents', async () => {
  const extractor = extractorOf();
  const bomb = extractor.extract({ user: 'ann', format: 'pdf', bytes: pdfBomb(2_000) });
  const refused = expect(bomb).rejects.toMatchObject({ reason: 'too_large' });
  const honest = Array.from({ length: 4 }, (_, i) =>
    extractor.extract({ user: 'ann', format: 'pdf', bytes: pdfOf(`Page of ${i}`) }),
  );
  expect((await Promise.all(honest)).map(String)).toEqual([0, 1, 2, 3].map((i) => `Page of ${i}`));
  await refused;
});

test('documents that fill a heap at once crash neither this process nor the next extraction', async () => {
  const extractor = extractorOf({ memoryMb: 40, concurrency: 1 });
  for (const page of [
    '<span>a</span>'.repeat(3_000_000),
    '&amp;'.repeat(4_000_000),
    '<'.repeat(20_000_000),
  ]) {
    const reading = extractor.extract({ user: 'ann', format: 'html', bytes: Buffer.from(page) });
    await expect(reading).rejects.toMatchObject({ name: 'UnreadableDocument', reason: 'too_large' });
    const next = await extractor.extract({ user: 'ann', format: 'text', bytes: Buffer.from('Platform 11') });
    expect(next.toString()).toBe('Platform 11');
  }
});

test('the event loop is not blocked while a document is read', async () => {
  let turns = 0;
  const timer = setInterval(() => (turns += 1), 5);
  await expect(textOf('pdf', LONG_DRAWING, { timeoutMs: 500 })).rejects.toMatchObject({ reason: 'too_slow' });
  clearInterval(timer);
  expect(turns).toBeGreaterThan(20);
});

test('an aborted extraction rejects with the reason of its signal', async () => {
  const extractor = extractorOf();
  const controller = new AbortController();
  const reading = extractor.extract({ user: 'ann', format: 'pdf', bytes: LONG_DRAWING }, controller.signal);
  setImmediate(() => controller.abort(new Error('too late')));
  await expect(reading).rejects.toThrow('too late');
});

test('the bytes of the caller are not changed or transferred', async () => {
  const bytes = pdfOf('Platform 11');
  const before = Buffer.from(bytes);
  await extractorOf().extract({ user: 'ann', format: 'pdf', bytes });
  expect(bytes.equals(before)).toBe(true);
});

test('a document that waits for its turn is not in memory yet', async () => {
  const extractor = extractorOf({ concurrency: 1 });
  const fetched: string[] = [];
  const fetching = Promise.withResolvers<Buffer>();
  const read = (name: string, bytes: Promise<Buffer>) =>
    extractor.extract({ user: 'ann', format: 'text', bytes: () => (fetched.push(name), bytes) });
  const first = read('first', fetching.promise);
  const last = read('last', Promise.resolve(Buffer.from('Platform 12')));
  await nextTurn();
  expect(fetched).toEqual(['first']);

  fetching.reject(new Error('the store is away'));
  await expect(first).rejects.toThrow('away');
  expect((await last).toString()).toBe('Platform 12');
});
