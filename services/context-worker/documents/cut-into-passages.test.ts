import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createHash } from 'node:crypto';
import { CUTTING_VERSION, cutIntoPassages } from './cut-into-passages.ts';
import { countTokens } from '../../../shared/content/documents/tokens.ts';

const sentence = (n: number) =>
  `Station number ${n} has seven platforms and a signal box from the year ${1900 + n}. `;
const paragraph = (n: number) =>
  Array.from({ length: 6 }, (_, at) => sentence(n * 10 + at)).join('') + '\n\n';

const documents = fc.string({
  unit: fc.constantFrom('a', 'B', ' ', '\n', '.', '#', '# ', '道', '。', '\u{1F6E4}', '"', '\t'),
  maxLength: 8_000,
});

describe('cutIntoPassages', () => {
  test('without overlap the joined passages are the document', () => {
    fc.assert(
      fc.property(documents, (text) => {
        const passages = cutIntoPassages(text, { overlap: false });
        expect(passages.map((passage) => passage.text).join('')).toBe(text);
      }),
    );
  });

  test('with overlap the passages cover the document in order, and their offsets are right', () => {
    fc.assert(
      fc.property(documents, (text) => {
        let covered = 0;
        cutIntoPassages(text).forEach((passage, at) => {
          expect(passage.position).toBe(at);
          expect(passage.text).toBe(text.slice(passage.start, passage.end));
          expect(passage.start).toBeLessThanOrEqual(covered);
          expect(passage.end).toBeGreaterThan(covered);
          expect(passage.text.isWellFormed()).toBe(true);
          covered = passage.end;
        });
        expect(covered).toBe(text.length);
      }),
    );
  });

  test('prose is cut into passages of 150 to 300 tokens that begin and end with a sentence', () => {
    const passages = cutIntoPassages(Array.from({ length: 40 }, (_, n) => paragraph(n)).join(''));
    for (const { text } of passages.slice(0, -1)) {
      expect(countTokens(text)).toBeGreaterThan(150);
      expect(countTokens(text)).toBeLessThanOrEqual(300);
      expect(text).toMatch(/^Station.*\.\s+$/s);
    }
  });

  test('a large enough passage ends before a heading, which starts the next passage', () => {
    const text = `# Stations\n\n${paragraph(1)}${paragraph(2)}## Signals\n\n${paragraph(3)}`;
    const passages = cutIntoPassages(text);
    expect(passages.map(({ heading }) => heading)).toEqual(['Stations', 'Signals']);
    expect(passages[1]?.text).toMatch(/^## Signals\n\nStation number 30/);
  });

  test('a passage repeats the last sentence of the one before, except after a heading', () => {
    const [first, second] = cutIntoPassages(Array.from({ length: 30 }, (_, n) => sentence(n)).join(''));
    const last = first?.text.match(/[^.]+\.\s*$/)?.[0].trim() ?? '';
    expect(last).toMatch(/^Station/);
    expect(second?.text.startsWith(last)).toBe(true);
  });

  test('indentation stays with its line', () => {
    const yaml = 'routes:\n  - name: north\n    stops: [a, b, c]\n'.repeat(100);
    const starts = cutIntoPassages(yaml, { overlap: false }).map(({ text }) => text);
    expect(starts.length).toBeGreaterThan(2);
    for (const text of starts) expect(text).toMatch(/^(?:routes:| {2}- name| {4}stops)/);
  });

  test('a change in the cutting requires a new CUTTING_VERSION', () => {
    const text = `# Stations\n\n${paragraph(1)}${paragraph(2)}## Signals\n\n${paragraph(3)}- ${'word '.repeat(900)}。道。`;
    const ends = cutIntoPassages(text).map(({ start, end }) => `${start}-${end}`);
    const hash = createHash('sha256').update(ends.join()).digest('hex').slice(0, 8);
    // If this fails, raise CUTTING_VERSION. Otherwise stored vectors are matched with the wrong passages.
    expect([CUTTING_VERSION, hash]).toEqual([1, '3c49434e']);
  });

  test.each([
    ['one endless word', 'a'],
    ['full stops', '.'],
    ['line breaks', '\n'],
    ['headings', '#\n'],
    ['spaces', ' '],
    ['Chinese', '轉轍器引導列車。'],
  ])('2 MB of %s gives bounded passages', (_name, unit) => {
    const text = unit.repeat(2_000_000 / unit.length);
    const passages = cutIntoPassages(text);
    for (const passage of passages) expect(passage.text.length).toBeLessThanOrEqual(2_000);
  });
});
