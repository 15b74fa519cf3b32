import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { countTokens as countExactly } from 'gpt-tokenizer/encoding/o200k_base';
import { countAllTokens, countAllTokensInTurns, countTokens, maxTokens } from './tokens.ts';
import { type Random } from '../../platform/util/random.ts';

/** A linear congruential generator, with the same numbers in each run. */
function seeded(seed: number): Random {
  let state = seed;
  return () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
}

describe('countTokens', () => {
  test.each([
    ['', 0],
    ['hello world', 2],
    ['The turnout moves trains from one track to another.', 10],
    ['<|endoftext|>', 7],
  ])('%j has %i tokens', (text, tokens) => {
    expect(countTokens(text)).toBe(tokens);
  });

  test('never exceeds the upper bound that needs no tokenizer', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 2_000 }),
        (text) => countTokens(text) <= maxTokens(text),
      ),
    );
  });

  test('cutting long texts into pieces changes the count by less than 1%', () => {
    const sentence =
      'A railway turnout moves trains, 12345 of them, without stopping; die Weiche läßt sie weiterfahren. ';
    for (const times of [100, 5_000]) {
      const text = sentence.repeat(times);
      expect(Math.abs(countTokens(text) / countExactly(text) - 1)).toBeLessThan(0.01);
    }
  });

  test.each([
    ['one endless word', 'a'],
    ['spaces', ' '],
    ['surrogate pairs', '\u{1F6E4}'],
    ['Chinese without a break', '道'],
  ])('20 million characters of %s are estimated without tokenising all of them', (_name, unit) => {
    const text = unit.repeat(20_000_000 / unit.length);
    expect(countTokens(text)).toBeGreaterThan(10_000);
  });
});

describe('a text that is too long to count exactly', () => {
  /** Blank exactly where 16 evenly spread samples of 4,096 characters would be taken. */
  function blankAtFixedPlaces(length: number, dense: string): string {
    const stride = (length - 4_096) / 15;
    const characters = dense
      .repeat(Math.ceil(length / dense.length))
      .slice(0, length)
      .split('');
    for (let i = 0; i < 16; i += 1) {
      const start = Math.floor(i * stride);
      characters.fill(' ', start, start + 4_096);
    }
    return characters.join('');
  }

  test('cannot evade the count by blanks at predictable positions', () => {
    const text = blankAtFixedPlaces(400_000, 'zq9-x7 ');
    const truth = countAllTokens(text.match(/.{1,60000}/gsu) ?? []);
    const exact = (text.match(/.{1,60000}/gsu) ?? []).reduce((sum, piece) => sum + countTokens(piece), 0);
    for (const seed of [1, 2, 3, 4]) {
      expect(Math.abs(countTokens(text, seeded(seed)) / exact - 1)).toBeLessThan(0.15);
    }
    expect(Math.abs(truth / exact - 1)).toBeLessThan(0.15);
  });

  test('is sampled at other positions each time', () => {
    const text = blankAtFixedPlaces(400_000, 'zq9-x7 ');
    expect(new Set([countTokens(text), countTokens(text), countTokens(text)]).size).toBeGreaterThan(1);
  });

  test.each([0.02, 0.1, 0.3])(
    'and is dense only in a share of %d counts at least a third of its tokens',
    (share) => {
      const dense = 'q7#Zx!'.repeat(400_000 / 6).slice(0, Math.floor(400_000 * share));
      const text = `${' '.repeat(200_000)}${dense}${' '.repeat(200_000 - dense.length)}`;
      const exact = (text.match(/.{1,60000}/gsu) ?? []).reduce((sum, piece) => sum + countTokens(piece), 0);
      for (const seed of [5, 6, 7, 8, 9]) expect(countTokens(text, seeded(seed))).toBeGreaterThan(exact / 3);
    },
  );

  test('in 20,000 parts counts like the sum of its parts', () => {
    const texts = Array.from({ length: 20_000 }, () => 'aaaa');
    const one = countTokens('aaaa');
    expect(Math.abs(countAllTokens(texts, seeded(1)) / (one * texts.length) - 1)).toBeLessThan(0.01);
  });

  test('is counted with bounded work, even without white space', () => {
    const texts = Array.from({ length: 500 }, () => '道'.repeat(64 * 1024));
    expect(countAllTokens(texts)).toBeGreaterThan(1_000_000);
  });
});

describe('counting in slices', () => {
  const long = '这里的火车不停地从一条轨道开到另一条轨道'.repeat(20_000);
  test.each([
    ['no text', [], 0],
    ['a single slice', ['Hello', 'there'], 0],
    ['an exact count', [long.slice(0, 60_000)], 15],
    ['an estimate', [long, 'and ', long], 16],
  ])('%s: the result is the same, and each turn runs one slice', async (_what, texts, least) => {
    let turns = 0;
    const turn = (slice: () => number) => {
      turns += 1;
      return Promise.resolve(slice());
    };
    expect(await countAllTokensInTurns(texts, turn, seeded(3))).toBe(countAllTokens(texts, seeded(3)));
    expect(turns).toBeGreaterThanOrEqual(least);
  });
});
