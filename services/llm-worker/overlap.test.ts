import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createOverlapFilter, DivergedError } from './overlap.ts';

const partial = 'The harbour bridge opened in 1932. It is made of steel and';

function through(parts: readonly string[], before = partial): string {
  const filter = createOverlapFilter(before);
  return parts.map((part) => filter.push(part)).join('') + filter.flush();
}

const words = (text: string) => text.match(/\S+\s*|\s+/g) ?? [];

describe('a continuation loses what is already there', () => {
  test.each([
    ['goes on exactly', ' carries trains.', ' carries trains.'],
    ['begins the same answer again', `${partial} carries trains.`, ' carries trains.'],
    ['repeats the end', 'made of steel and carries trains.', ' carries trains.'],
    ['repeats a short word by chance', 'and and so on.', 'and and so on.'],
    ['is a different answer from the first word', 'Bridges are old.', 'Bridges are old.'],
    ['ends while it still repeats', partial, ''],
    ['is empty', '', ''],
  ])('that %s', (_what, text, fresh) => {
    expect(through(words(text))).toBe(fresh);
    expect(through([text])).toBe(fresh);
    expect(through(text.split(/(?=.)/s))).toBe(fresh);
  });

  test('the white space that the prefix was sent without is not doubled', () => {
    expect(through([' 1932', ' in May'], 'It opened in ')).toBe('1932 in May');
  });

  test('a beginning that is the same and then differs is refused', () => {
    expect(() => through(words('The harbour bridge opened in 1932. It was painted green.'))).toThrow(
      DivergedError,
    );
  });

  test('whatever the pieces, a repetition of the whole yields the rest', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.string(), fc.array(fc.nat(40)), (before, rest, cuts) => {
        const text = before + rest;
        const at = [...new Set(cuts.map((cut) => cut % (text.length + 1)))].sort((a, b) => a - b);
        const parts = [0, ...at].map((from, i) => text.slice(from, at[i] ?? text.length));
        expect(through(parts, before)).toBe(rest);
      }),
    );
  });
});
