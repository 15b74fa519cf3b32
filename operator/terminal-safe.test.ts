import { describe, expect, test } from '@jest/globals';
import { oneLine, terminalSafe } from './terminal-safe.ts';

describe('what a terminal is shown', () => {
  test.each([
    ['words of any language', 'Grüße, 東京 😀', 'Grüße, 東京 😀'],
    ['lines and tabs', 'a\n\tb', 'a\n\tb'],
    ['an escape sequence', '\u001b[2Jgone', '\\u001b[2Jgone'],
    ['a C1 control sequence introducer', '\u009b2J', '\\u009b2J'],
    ['a carriage return, which overwrites', 'safe\rrm -rf', 'safe\\u000drm -rf'],
    ['a bidirectional override', 'a\u202eb', 'a\\u202eb'],
    ['a line separator', 'a\u2028b', 'a\\u2028b'],
    ['a tag beyond the basic plane', '\u{e0041}', '\\udb40\\udc41'],
    ['half a surrogate pair', 'a\ud800b', 'a\\ud800b'],
    ['NUL and DEL', '\u0000\u007f', '\\u0000\\u007f'],
  ])('%s', (_name, text, shown) => {
    expect(terminalSafe(text)).toBe(shown);
  });

  test('of JSON is still the same JSON', () => {
    const value = { 'a\u001b': ['\u009b\u202e\u2028', '\u{e0041}😀', '\n\t"\\'] };
    expect(JSON.parse(terminalSafe(JSON.stringify(value, undefined, 2)))).toEqual(value);
  });

  test('on one line has no line in it', () => {
    expect(oneLine('  one\n  two\tthree\r\n')).toBe('one two three');
  });
});
