import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createOverlapFilter, DivergedError, isUnmistakable } from './overlap.ts';

const partial = 'The harbour bridge opened in 1932. It is made of steel and';
const prefix = 'made of steel and';

interface Continuation {
  before?: string;
  prefix?: string | undefined;
}

function through(parts: readonly string[], { before = partial, ...more }: Continuation = {}): string {
  const filter = createOverlapFilter(before, 'prefix' in more ? more.prefix : prefix);
  return parts.map((part) => filter.push(part)).join('') + filter.flush();
}

const words = (text: string) => text.match(/\S+\s*|\s+/g) ?? [];
const cutSomehow = (text: string) => [words(text), [text], text.split(/(?=.)/s)];

describe('the filter drops what the answer already contains from a continuation', () => {
  test.each([
    ['begins with the prefix, as asked', `${prefix} carries trains.`, ' carries trains.'],
    ['continues without the prefix', ' carries trains.', ' carries trains.'],
    ['starts the same answer again', `${partial} carries trains.`, ' carries trains.'],
    ['repeats more than the prefix', 'It is made of steel and carries trains.', ' carries trains.'],
    ['repeats less than the prefix', 'of steel and carries trains.', ' carries trains.'],
    ['repeats a short word by chance', 'and and so on.', 'and and so on.'],
    ['is a different answer from the first word', 'Bridges are old.', 'Bridges are old.'],
    [
      'starts the same answer again, after a line break',
      `\n\n${partial} carries trains.`,
      ' carries trains.',
    ],
    ['begins with the prefix after a line break', `\n${prefix} carries trains.`, ' carries trains.'],
    ['opens a quotation before the prefix', `"${prefix} carries trains.`, ' carries trains.'],
    ['quotes the prefix', `"${prefix}" carries trains.`, ' carries trains.'],
    ['quotes the prefix with typographic quotation marks', `“${prefix}” carries trains.`, ' carries trains.'],
    ['begins with an ellipsis', `...${prefix} carries trains.`, ' carries trains.'],
    ['begins with an ellipsis in one character', `… ${prefix} carries trains.`, ' carries trains.'],
    ['repeats our tags', `<last_words>${prefix}</last_words> carries trains.`, ' carries trains.'],
    ['repeats our tags in a code span', `\`<last_words>${prefix}</last_words>\` carries.`, ' carries.'],
    ['repeats our opening tag only', `<last_words>${prefix} carries trains.`, ' carries trains.'],
    ['has a quotation of its own', ' "iron" in it.', ' "iron" in it.'],
    ['has an ellipsis of its own', '... or so they say.', '... or so they say.'],
    ['ends while still repeating the answer', partial, ''],
    ['is only the prefix in quotation marks', `"${prefix}"`, ''],
    ['is only the prefix', prefix, ''],
    ['is empty', '', ''],
  ])('that %s', (_what, text, fresh) => {
    for (const parts of cutSomehow(text)) expect(through(parts)).toBe(fresh);
  });

  test.each([
    ['continues exactly', ' carries trains.', ' carries trains.'],
    ['repeats the partial answer', `${partial} carries trains.`, ' carries trains.'],
    ['repeats the partial answer after a line break', `\n${partial} carries trains.`, ' carries trains.'],
    ['repeats words on purpose', ' made of steel and iron', ' made of steel and iron'],
    ['has a refrain', `${partial.slice(0, 40)}, they sing`, `${partial.slice(0, 40)}, they sing`],
    ['ends with a refrain', partial.slice(0, 40), partial.slice(0, 40)],
  ])('by prefill that %s', (_what, text, fresh) => {
    for (const parts of cutSomehow(text)) expect(through(parts, { prefix: undefined })).toBe(fresh);
  });
});

describe('an intended repetition is kept', () => {
  const signal = 'The signal stays green while the points are locked.';
  const before = `You asked. ${signal} `;
  const rest = `${signal} The dispatcher moves.`;

  test.each([
    ['the model was asked to begin with the prefix', signal, `${signal} ${rest}`],
    ['the model continues a prefilled message', undefined, rest],
    ['the model continues a prefilled message, with the space', undefined, ` ${rest}`],
  ])('when %s', (_what, lead, text) => {
    for (const parts of cutSomehow(text)) expect(through(parts, { before, prefix: lead })).toBe(rest);
  });

  test('when the whole answer is one repeated row, and the prefix is its last rows', () => {
    const row = '| 0 | 0 |\n';
    const [before, rest] = [row.repeat(10), row.repeat(12)];
    for (const parts of cutSomehow(row.repeat(2) + rest))
      expect(through(parts, { before, prefix: row.repeat(2).trimEnd() })).toBe(rest);
  });

  test('when the model ignores the prefix and the end of the answer repeats itself', () => {
    const row = '| 0 | 0 | 0 |\n';
    const before = `A table of zeros:\n${row.repeat(4)}`;
    const goesOn = `${row}| 1 | 1 | 1 |\n`;
    expect(through(words(goesOn), { before, prefix: 'zeros:' })).toBe(goesOn);
  });
});

describe('at the seam', () => {
  test('white space that was trimmed from the partial answer is not doubled', () => {
    expect(through([' 1932', ' in May'], { before: 'It opened in ', prefix: undefined })).toBe('1932 in May');
    expect(through(['opened in 1932'], { before: 'It opened in ', prefix: 'opened in' })).toBe('1932');
  });

  test('white space that arrives in other pieces, or only partly, is not doubled either', () => {
    const before = 'def go():\n    ';
    for (const [prefix, lead] of [
      [undefined, ''],
      ['def go():', 'def go():'],
    ] as const) {
      expect(through([lead, '\n', '  ', '  return'], { before, prefix })).toBe('return');
      expect(through([lead, '\n', '  ', 'return'], { before, prefix })).toBe('return');
    }
  });

  test.each([['\n\nHello'], ['\nHello'], ['Hello']])('after white space only, %j continues it', (text) => {
    for (const prefix of ['', undefined])
      for (const parts of cutSomehow(text)) expect(through(parts, { before: '\n\n', prefix })).toBe('Hello');
  });

  test('a repetition of a short prefilled answer is kept: "1" and "1 platforms" mean eleven', () => {
    expect(through(['1', ' platforms'], { before: '1', prefix: undefined })).toBe('1 platforms');
  });

  test('a text that starts the answer again and then differs is rejected', () => {
    expect(() => through(words('The harbour bridge opened in 1932. It was painted green.'))).toThrow(
      DivergedError,
    );
  });

  test.each([[prefix], [undefined]])(
    'a long answer that starts again takes linear time, prefix %j',
    (asked) => {
      const before = Array.from({ length: 30_000 }, (_, n) => `line ${n}, `).join('');
      const parts = `${before}and the end.`.split('');
      expect(through(parts, { before, prefix: asked })).toBe('and the end.');
    },
  );

  test('a repetition of the whole answer yields the rest, however it is split', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 33 }), fc.string(), fc.array(fc.nat(80)), (before, rest, cuts) => {
        fc.pre(isUnmistakable(before));
        const text = before + rest;
        const at = [...new Set(cuts.map((cut) => cut % (text.length + 1)))].sort((a, b) => a - b);
        const parts = [0, ...at].map((from, i) => text.slice(from, at[i] ?? text.length));
        expect(through(parts, { before, prefix: undefined })).toBe(rest);
      }),
    );
  });
});
