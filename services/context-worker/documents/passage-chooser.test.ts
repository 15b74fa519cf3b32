import { describe, expect, test } from '@jest/globals';
import { fillBudget } from './choose-passages.ts';
import { type Chosen, createPassageChooser } from './passage-chooser.ts';
import { shortlist } from './shortlist.ts';
import { type Similarity } from './similarity.ts';

const chooser = createPassageChooser({ threads: 1 });

function book(bytes: number): Buffer {
  const filler =
    'The permanent way is inspected on foot by two people who write down every fault that they find. ';
  const sections = Array.from(
    { length: Math.ceil(bytes / 900) },
    (_, n) =>
      `## Section ${n}\n\n${filler.repeat(9)}The box of Ostheim${n} was closed in ${1900 + (n % 100)}.\n\n`,
  );
  return Buffer.from(sections.join(''));
}

describe('the passage chooser', () => {
  test('finds a fact in a document of 20 MB without blocking the event loop', async () => {
    const text = book(20_000_000);
    expect(text.length).toBeGreaterThan(20_000_000);
    let turns = 0;
    const counting = setInterval(() => (turns += 1), 5);
    const { passages, leftOut } = await chooser.choose({
      text,
      question: 'When was the box of Ostheim12345 closed?',
      budgetTokens: 2_000,
    });
    clearInterval(counting);
    expect(passages.some((passage) => passage.text.includes('Ostheim12345 was closed in 1945'))).toBe(true);
    expect(leftOut).toBeGreaterThan(10_000);
    expect(turns).toBeGreaterThan(10); // one or two without a thread
  }, 30_000);

  test('chooses the same passages in a thread as without one', async () => {
    const input = { text: book(600_000).toString(), question: 'Ostheim77 closed', budgetTokens: 1_000 };
    expect(await chooser.choose(input)).toEqual(fillBudget(shortlist(input), input.budgetTokens));
  });

  test('a small document given as bytes is read as UTF-8', async () => {
    const { passages } = await chooser.choose({
      text: Buffer.from('Die Brücke trägt.'),
      question: 'Brücke',
      budgetTokens: 100,
    });
    expect(passages).toEqual([{ text: 'Die Brücke trägt.', position: 0, score: 1 }]);
  });

  test('an abort ends the work and starts the next one', async () => {
    const controller = new AbortController();
    const text = book(5_000_000);
    const first = chooser.choose({ text, question: 'Ostheim1', budgetTokens: 500 }, controller.signal);
    const second = chooser.choose({
      text: text.subarray(0, 600_000),
      question: 'Ostheim1',
      budgetTokens: 500,
    });
    controller.abort(new Error('too late'));
    await expect(first).rejects.toThrow('too late');
    expect((await second).passages.length).toBeGreaterThan(0);
  }, 30_000);

  describe('with a similarity', () => {
    const text = book(200_000);
    const question = 'In which year did the Ostheim3 signalman go home for good?';
    const SOLUTION = 150;
    const input = { text, question, budgetTokens: 2_000 };
    const none = () => Promise.resolve(undefined);
    const must = () => Promise.reject(new Error('must not be asked'));
    const has = ({ passages }: Chosen, position: number) => passages.some((one) => one.position === position);

    test('passages that are near in meaning are chosen as well, if the vectors are stored', async () => {
      expect(has(await chooser.choose(input), SOLUTION)).toBe(false);
      const nearest = () => Promise.resolve({ cosines: new Map([[SOLUTION, 0.8]]) });
      const chosen = await chooser.choose({ ...input, similarity: () => ({ nearest, compare: must }) });
      expect(has(chosen, SOLUTION)).toBe(true);
      expect(chosen).not.toHaveProperty('degraded');
    });

    test('without stored vectors a limited number is embedded: the best by words, and some from the whole document', async () => {
      const asked: number[] = [];
      const compare: Similarity['compare'] = (passages) => {
        asked.push(...passages.map(({ position }) => position));
        const last = asked.at(-1) ?? 0;
        return Promise.resolve({ cosines: new Map([[last, 0.9]]) });
      };
      const chosen = await chooser.choose({ ...input, similarity: () => ({ nearest: none, compare }) });
      expect(asked).toHaveLength(32);
      expect(Math.max(...asked)).toBeGreaterThan(200);
      expect(has(chosen, asked.at(-1) ?? 0)).toBe(true);
    });

    test.each([
      [
        'reading stored vectors',
        { nearest: () => Promise.resolve({ degraded: 'upstream_stalled' as const }), compare: must },
      ],
      [
        'a comparison',
        { nearest: none, compare: () => Promise.resolve({ degraded: 'upstream_stalled' as const }) },
      ],
    ])(
      'when %s fails, words alone decide and the result is marked as degraded',
      async (_what, similarity) => {
        const chosen = await chooser.choose({ ...input, similarity: () => similarity });
        expect(chosen).toEqual({ ...(await chooser.choose(input)), degraded: 'upstream_stalled' });
      },
    );

    test('a document that fits whole is not compared by meaning', async () => {
      const similarity = () => {
        throw new Error('must not be asked');
      };
      const { leftOut } = await chooser.choose({ text: 'Soup.', question, budgetTokens: 100, similarity });
      expect(leftOut).toBe(0);
    });
  });
});
