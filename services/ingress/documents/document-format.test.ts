import { describe, expect, test } from '@jest/globals';
import { docxOf, pdfOf } from '../../../test/harness/documents.ts';
import { documentKind } from './document-format.ts';

const PDF = pdfOf('Platform 11');
const DOCX = docxOf('Platform 11');
const WORD = 'application/vnd.openxmlformats-officedocument.wordprocessingml.document';
const kindOf = (declared: string | undefined, filename: string | undefined, head: Buffer | string) =>
  documentKind({ declared, filename, head: Buffer.from(head) });

describe('documentKind recognises', () => {
  test.each<[string, string | undefined, string | undefined, Buffer | string, string, string]>([
    [
      'a PDF by its content, whatever the sender declares',
      'text/plain',
      'a.txt',
      PDF,
      'pdf',
      'application/pdf',
    ],
    [
      'a PDF after leading garbage, if it is declared as PDF',
      undefined,
      'a.pdf',
      `x\n${String(PDF)}`,
      'pdf',
      'application/pdf',
    ],
    ['a DOCX by its media type', WORD, undefined, DOCX, 'docx', WORD],
    ['a DOCX by its file name', 'application/octet-stream', 'a.DOCX', DOCX, 'docx', WORD],
    ['a DOCX declared as a ZIP archive', 'application/zip', 'a.docx', DOCX, 'docx', WORD],
    ['a web page by its file name', undefined, 'a.htm', '<p>', 'html', 'text/html'],
    ['a web page by its media type', 'text/html', 'a.txt', '<p>', 'html', 'text/html'],
    ['a CSV table', 'application/octet-stream', 'a.csv', 'a,b', 'text', 'text/csv'],
    ['text without a type and a file name', undefined, undefined, 'words', 'text', 'text/plain'],
    ['text in UTF-16', undefined, 'a.txt', Buffer.from('\uFEFFwords', 'utf16le'), 'text', 'text/plain'],
  ])('%s', (_what, declared, filename, head, format, mediaType) => {
    expect(kindOf(declared, filename, head)).toEqual({ format, mediaType });
  });
});

describe('documentKind gives a reason for', () => {
  test.each<[string, string | undefined, string | undefined, Buffer | string, RegExp]>([
    ['text named as a PDF', undefined, 'a.pdf', 'words', /not a PDF/],
    ['a password-protected DOCX', undefined, 'a.docx', Buffer.from('d0cf11e0a1b11ae1', 'hex'), /password/],
    ['text named as a DOCX', undefined, 'a.docx', 'words', /not a DOCX/],
    ['an archive', undefined, 'a.zip', 'PK\x03\x04\0\0', /not text/],
    ['an image by its media type', 'image/png', 'a.txt', 'pretends', /image\/png/],
    ['an image by its content', undefined, 'a.txt', '\x89PNG\r\n\x1a\n\0', /not text/],
    ['a spreadsheet', 'application/vnd.ms-excel', 'a.csv', 'PK', /vnd.ms-excel/],
    ['a media type with line breaks', 'image/x\r\nx: y', 'a', 'x', /image\/x\?\?x\?\?y cannot/],
  ])('%s', (_what, declared, filename, head, why) => {
    expect(kindOf(declared, filename, head)).toEqual(expect.stringMatching(why));
  });
});
