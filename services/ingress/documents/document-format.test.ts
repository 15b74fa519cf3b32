import { describe, expect, test } from '@jest/globals';
import { docxOf, pdfOf } from '../../../test/harness/documents.ts';
import { documentKind } from './document-format.ts';

const PDF = pdfOf('Platform 11');
const DOCX = docxOf('Platform 11');
const WORD = 'application/vnd.openxmlformats-officedocument.wordprocessingml.document';
const kindOf = (declared: string | undefined, filename: string | undefined, head: Buffer | string) =>
  documentKind({ declared, filename, head: Buffer.from(head) });

describe('documentKind knows', () => {
  test.each<[string, string | undefined, string | undefined, Buffer | string, string, string]>([
    ['a PDF by its bytes, whatever is said', 'text/plain', 'a.txt', PDF, 'pdf', 'application/pdf'],
    [
      'a PDF behind garbage, where it is called one',
      undefined,
      'a.pdf',
      `x\n${String(PDF)}`,
      'pdf',
      'application/pdf',
    ],
    ['a DOCX by its type', WORD, undefined, DOCX, 'docx', WORD],
    ['a DOCX by its name', 'application/octet-stream', 'a.DOCX', DOCX, 'docx', WORD],
    ['a DOCX that was sent as the archive it is', 'application/zip', 'a.docx', DOCX, 'docx', WORD],
    ['a page by its name', undefined, 'a.htm', '<p>', 'html', 'text/html'],
    ['a page by its type', 'text/html', 'a.txt', '<p>', 'html', 'text/html'],
    ['a table', 'application/octet-stream', 'a.csv', 'a,b', 'text', 'text/csv'],
    ['text that nobody named', undefined, undefined, 'words', 'text', 'text/plain'],
    ['text in UTF-16', undefined, 'a.txt', Buffer.from('\uFEFFwords', 'utf16le'), 'text', 'text/plain'],
  ])('%s', (_what, declared, filename, head, format, mediaType) => {
    expect(kindOf(declared, filename, head)).toEqual({ format, mediaType });
  });
});

describe('documentKind knows what cannot be read', () => {
  test.each<[string, string | undefined, string | undefined, Buffer | string, RegExp]>([
    ['text that is called a PDF', undefined, 'a.pdf', 'words', /not a PDF/],
    ['a DOCX with a password', undefined, 'a.docx', Buffer.from('d0cf11e0a1b11ae1', 'hex'), /password/],
    ['text that is called a DOCX', undefined, 'a.docx', 'words', /not a DOCX/],
    ['an archive', undefined, 'a.zip', 'PK\x03\x04\0\0', /not text/],
    ['an image by its type', 'image/png', 'a.txt', 'pretends', /image\/png/],
    ['an image by its bytes', undefined, 'a.txt', '\x89PNG\r\n\x1a\n\0', /not text/],
    ['a spreadsheet', 'application/vnd.ms-excel', 'a.csv', 'PK', /vnd.ms-excel/],
    ['a type that would break a line', 'image/x\r\nx: y', 'a', 'x', /image\/x\?\?x\?\?y cannot/],
  ])('%s', (_what, declared, filename, head, why) => {
    expect(kindOf(declared, filename, head)).toEqual(expect.stringMatching(why));
  });
});
