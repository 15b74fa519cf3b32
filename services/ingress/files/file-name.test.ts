import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { attachmentHeader, safeFileName } from './file-name.ts';

describe('a file name', () => {
  test.each<[string | undefined, string]>([
    ['report.pdf', 'report.pdf'],
    ['Fahrplan 道岔.pdf', 'Fahrplan 道岔.pdf'],
    ['../../etc/passwd', 'passwd'],
    ['C:\\Users\\ann\\report.pdf', 'report.pdf'],
    ['a\r\nx-evil: 1.txt', 'a x-evil: 1.txt'],
    ['a\0b\u202Efdp.exe', 'a b fdp.exe'],
    ['..', 'file'],
    ['folder/', 'file'],
    ['', 'file'],
    [undefined, 'file'],
  ])('%j is shown as %j', (name, shown) => {
    expect(safeFileName(name)).toBe(shown);
  });

  test('of any content produces a single header line that only names a file', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (name) => {
        const header = attachmentHeader(safeFileName(name));
        expect(header).toMatch(
          /^attachment; filename="[ -!#-[\]-~]*"; filename\*=UTF-8''[A-Za-z0-9%._~!-]+$/,
        );
      }),
    );
  });

  test('is restored completely from the header', () => {
    const name = `50% "of" it's (dépôt).pdf`;
    const [, encoded = ''] = attachmentHeader(name).split("UTF-8''");
    expect(decodeURIComponent(encoded)).toBe(name);
  });
});
