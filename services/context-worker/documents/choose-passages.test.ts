import { describe, expect, test } from '@jest/globals';
import { cutIntoPassages } from './cut-into-passages.ts';
import { createPassageChooser } from './passage-chooser.ts';
import { countTokens } from '../../../shared/content/documents/tokens.ts';

const chooser = createPassageChooser();

const section = (n: number) => {
  const filler =
    'The permanent way is inspected on foot by two people who write down every fault that they find. ';
  return `## Section ${n}\n\n${filler.repeat(8)}The signal box of Ostheim${n} was closed in ${1950 + n}. ${filler.repeat(4)}\n\n`;
};
const long = Array.from({ length: 50 }, (_, n) => section(n)).join('');

describe('choosing passages', () => {
  test('a document that fits is taken whole and unchanged', async () => {
    const text = section(1) + section(2);
    const { passages, leftOut } = await chooser.choose({ text, question: 'anything', budgetTokens: 2_000 });
    expect(passages.map((passage) => passage.text).join('')).toBe(text);
    expect(leftOut).toBe(0);
  });

  test('otherwise the passage that answers the question is chosen, with the best score', async () => {
    const { passages } = await chooser.choose({
      text: long,
      question: 'When was the box of Ostheim33 closed?',
      budgetTokens: 1_000,
    });
    const best = passages.toSorted((a, b) => b.score - a.score)[0];
    expect(best?.text).toContain('Ostheim33 was closed in 1983');
  });

  test('the chosen passages fit the budget, are in document order and are whole', async () => {
    const { passages, leftOut } = await chooser.choose({
      text: long,
      question: 'inspected fault Ostheim7',
      budgetTokens: 1_500,
    });
    expect(passages.reduce((sum, { text }) => sum + countTokens(text), 0)).toBeLessThanOrEqual(1_500);
    expect(passages.length).toBeGreaterThan(3);
    const positions = passages.map(({ position }) => position);
    expect(positions).toEqual(positions.toSorted((a, b) => a - b));
    const all = cutIntoPassages(long);
    expect(passages.length + leftOut).toBe(all.length);
    for (const { text, position } of passages) expect(all[position]?.text.endsWith(text)).toBe(true);
  });

  test('adjacent passages do not repeat the sentence that they share', async () => {
    const text = Array.from({ length: 200 }, (_, n) => `Sentence ${n} speaks of locomotives. `).join('');
    const { passages } = await chooser.choose({ text, question: 'locomotives', budgetTokens: 900 });
    const numbers = passages.flatMap((passage) => passage.text.match(/Sentence \d+/g) ?? []);
    expect(passages.length).toBeGreaterThan(2);
    expect(new Set(numbers).size).toBe(numbers.length);
  });

  test.each(['', '???', 'xylophone'])(
    'the question %j matches no word: the document is taken from its beginning',
    async (question) => {
      const { passages } = await chooser.choose({ text: long, question, budgetTokens: 1_000 });
      expect(passages.map(({ position }) => position)).toEqual(passages.map((_, at) => at));
      expect(passages.length).toBeGreaterThan(2);
    },
  );

  test('no passage is cut: a budget smaller than every passage chooses none', async () => {
    const { passages, leftOut } = await chooser.choose({ text: long, question: 'Ostheim7', budgetTokens: 5 });
    expect(passages).toEqual([]);
    expect(leftOut).toBe(cutIntoPassages(long).length);
  });

  test('Chinese text, which has no spaces between words, is found', async () => {
    const text = `${'列車在車站停靠。'.repeat(600)}道岔壞了。${'列車在車站停靠。'.repeat(600)}`;
    const { passages } = await chooser.choose({ text, question: '道岔怎麼了？', budgetTokens: 400 });
    expect(passages.some((passage) => passage.text.includes('道岔壞了'))).toBe(true);
  });
});
