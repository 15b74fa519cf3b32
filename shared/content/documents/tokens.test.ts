import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { countTokens as countExactly } from 'gpt-tokenizer/encoding/o200k_base';
import { countAllTokens, countAllTokensInTurns, countTokens, maxTokens } from './tokens.ts';
import { type Random } from '../../platform/util/random.ts';

/** A linear congruential generator: the same numbers in each run. */
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

  test('is never more than the bound that needs no tokenizer', () => {
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
  ])('20 million characters of %s are counted without being tokenised whole', (_name, unit) => {
    const text = unit.repeat(20_000_000 / unit.length);
    expect(countTokens(text)).toBeGreaterThan(10_000);
  });
});

describe('a text that is too long to be counted', () => {
  /** What the places would be that 16 samples of 4,096 characters have, spread evenly. */
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

  test('cannot be blank at the places that are looked at', () => {
    const text = blankAtFixedPlaces(400_000, 'zq9-x7 ');
    const truth = countAllTokens(text.match(/.{1,60000}/gsu) ?? []);
    const exact = (text.match(/.{1,60000}/gsu) ?? []).reduce((sum, piece) => sum + countTokens(piece), 0);
    for (const seed of [1, 2, 3, 4]) {
      expect(Math.abs(countTokens(text, seeded(seed)) / exact - 1)).toBeLessThan(0.15);
    }
    expect(Math.abs(truth / exact - 1)).toBeLessThan(0.15);
  });

  test('is looked at elsewhere each time', () => {
    const text = blankAtFixedPlaces(400_000, 'zq9-x7 ');
    expect(new Set([countTokens(text), countTokens(text), countTokens(text)]).size).toBeGreaterThan(1);
  });

  test.each([0.02, 0.1, 0.3])('and is dense in %d of it alone counts for at least a third of it', (share) => {
    const dense = 'q7#Zx!'.repeat(400_000 / 6).slice(0, Math.floor(400_000 * share));
    const text = `${' '.repeat(200_000)}${dense}${' '.repeat(200_000 - dense.length)}`;
    const exact = (text.match(/.{1,60000}/gsu) ?? []).reduce((sum, piece) => sum + countTokens(piece), 0);
    for (const seed of [5, 6, 7, 8, 9]) expect(countTokens(text, seeded(seed))).toBeGreaterThan(exact / 3);
  });

  test('counts like the sum of its parts where it comes in 20,000 of them', () => {
    const texts = Array.from({ length: 20_000 }, () => 'aaaa');
    const one = countTokens('aaaa');
    expect(Math.abs(countAllTokens(texts, seeded(1)) / (one * texts.length) - 1)).toBeLessThan(0.01);
  });

  test('is counted in bounded work, whatever its runs look like', () => {
    const texts = Array.from({ length: 500 }, () => '道'.repeat(64 * 1024));
    expect(countAllTokens(texts)).toBeGreaterThan(1_000_000);
  });
});

describe('counted in turns', () => {
  const long = '这里的火车不停地从一条轨道开到另一条轨道'.repeat(20_000);
  test.each([
    ['nothing', [], 0],
    ['what is one slice', ['Hello', 'there'], 0],
    ['a text that is counted as a whole', [long.slice(0, 60_000)], 15],
    ['what is estimated', [long, 'and ', long], 16],
  ])('%s comes to the same, and no turn takes more than a slice', async (_what, texts, least) => {
    let turns = 0;
    const turn = (slice: () => number) => {
      turns += 1;
      return Promise.resolve(slice());
    };
    expect(await countAllTokensInTurns(texts, turn, seeded(3))).toBe(countAllTokens(texts, seeded(3)));
    expect(turns).toBeGreaterThanOrEqual(least);
  });
});
