import { describe, expect, test } from '@jest/globals';
import { oneLine, terminalSafe } from './terminal-safe.ts';

describe('text for a terminal', () => {
  test.each([
    ['keeps words of any language', 'Grüße, 東京 😀', 'Grüße, 東京 😀'],
    ['keeps line feeds and tabs', 'a\n\tb', 'a\n\tb'],
    ['escapes an escape sequence', '\u001b[2Jgone', '\\u001b[2Jgone'],
    ['escapes a C1 control sequence introducer', '\u009b2J', '\\u009b2J'],
    ['escapes a carriage return, which would overwrite the line', 'safe\rrm -rf', 'safe\\u000drm -rf'],
    ['escapes a bidirectional override', 'a\u202eb', 'a\\u202eb'],
    ['escapes a line separator', 'a\u2028b', 'a\\u2028b'],
    ['escapes a tag character beyond the basic plane', '\u{e0041}', '\\udb40\\udc41'],
    ['escapes half a surrogate pair', 'a\ud800b', 'a\\ud800b'],
    ['escapes NUL and DEL', '\u0000\u007f', '\\u0000\\u007f'],
  ])('%s', (_name, text, shown) => {
    expect(terminalSafe(text)).toBe(shown);
  });

  test('parses to the same value if it is JSON', () => {
    const value = { 'a\u001b': ['\u009b\u202e\u2028', '\u{e0041}😀', '\n\t"\\'] };
    expect(JSON.parse(terminalSafe(JSON.stringify(value, undefined, 2)))).toEqual(value);
  });

  test('has no line feeds or tabs when it is put on one line', () => {
    expect(oneLine('  one\n  two\tthree\r\n')).toBe('one two three');
  });
});
