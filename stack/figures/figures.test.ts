import { describe, expect, test } from '@jest/globals';
import { figuresIn, formatFigure, whyNotPublished, withValues } from './figures.ts';

const report = { many: 1432.6, share: 0.0251, size: 2_216_000, kept: { p50: 12.96 }, words: 'ten', lost: 0 };
const reports = new Map<string, unknown>([['bench', report]]);

describe('a figure becomes the value of its report', () => {
  test.each([
    ['thousands have a comma', '7<!-- bench.json#/many -->', '1,433<!-- bench.json#/many -->'],
    [
      'the decimals are those of the text',
      '1.0 ms<!-- bench.json#/kept/p50 -->',
      '13.0 ms<!-- bench.json#/kept/p50 -->',
    ],
    ['a share is shown in percent', '9.9%<!-- bench.json#/share -->', '2.5%<!-- bench.json#/share -->'],
    [
      'bytes are shown in another unit',
      '1.0 MB<!-- bench.json#/size in bytes -->',
      '2.2 MB<!-- bench.json#/size in bytes -->',
    ],
    ['zero is a value', '3<!-- bench.json#/lost -->', '0<!-- bench.json#/lost -->'],
    ['without a report it stays', '5 s<!-- other.json#/many -->', '5 s<!-- other.json#/many -->'],
  ])('%s', (_, text, expected) => {
    expect(withValues(`| ${text} |`, reports)).toBe(`| ${expected} |`);
  });
});

test('a path may have spaces', () => {
  expect(figuresIn('21 ms<!-- bench.json#/parts/LiteLLM (p50) -->')).toEqual([
    { shown: '21', unit: 'ms', report: 'bench', path: '/parts/LiteLLM (p50)', inBytes: false },
  ]);
});

test.each(['/missing', '/words', '/kept', '/kept/p50/more'])('%s is not a number', (path) => {
  const figure = { shown: '1', unit: '', report: 'bench', path, inBytes: false };
  expect(() => formatFigure(figure, report)).toThrow(`bench.json has no number at ${path}`);
});

describe('a report is not published', () => {
  const machine = { cpu: 'a CPU', cores: 2, memoryGiB: 8, os: 'Linux', node: 'v24' };
  const run = { command: 'make bench', at: '2026-11-30T00:00:00Z', commit: 'abc', changed: false, machine };

  test('unless it says how it was made', () => {
    expect(whyNotPublished({ run })).toBeUndefined();
    expect(whyNotPublished({})).toMatch('does not say how');
  });

  test('if there were uncommitted changes', () => {
    expect(whyNotPublished({ run: { ...run, changed: true } })).toMatch('uncommitted changes');
  });

  test('if it is of a quick run', () => {
    expect(whyNotPublished({ run: { ...run, command: 'make bench --quick' } })).toMatch('quick run');
  });
});
