import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { countTokens as countExactly } from 'gpt-tokenizer/encoding/o200k_base';
import { countTokens, maxTokens } from './tokens.ts';

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
