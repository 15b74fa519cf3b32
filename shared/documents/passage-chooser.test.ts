import { describe, expect, test } from '@jest/globals';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { choosePassages } from './choose-passages.ts';
import { createPassageChooser } from './passage-chooser.ts';

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
  test('finds a fact in a document of 20 MB while the event loop goes on', async () => {
    const text = book(20_000_000);
    expect(text.length).toBeGreaterThan(20_000_000);
    const delay = monitorEventLoopDelay({ resolution: 5 });
    delay.enable();
    const { passages, leftOut } = await chooser.choose({
      text,
      question: 'When was the box of Ostheim12345 closed?',
      budgetTokens: 2_000,
    });
    delay.disable();
    expect(passages.some((passage) => passage.text.includes('Ostheim12345 was closed in 1945'))).toBe(true);
    expect(leftOut).toBeGreaterThan(10_000);
    expect(delay.max / 1e6).toBeLessThan(500); // it takes seconds when done here
  }, 30_000);

  test('chooses in a thread what it would choose without one', async () => {
    const input = { text: book(600_000).toString(), question: 'Ostheim77 closed', budgetTokens: 1_000 };
    expect(await chooser.choose(input)).toEqual(choosePassages(input));
  });

  test('a small document given as bytes is read as UTF-8', async () => {
    const { passages } = await chooser.choose({
      text: Buffer.from('Die Brücke trägt.'),
      question: 'Brücke',
      budgetTokens: 100,
    });
    expect(passages).toEqual([{ text: 'Die Brücke trägt.', position: 0, score: 0 }]);
  });

  test('an abort ends the work and gives the turn to the next', async () => {
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
});
