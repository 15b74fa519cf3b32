import { describe, expect, test } from '@jest/globals';
import { decodeDocument } from './decode.ts';

const param = 'messages[0].content[1].file.file_data';
const base64 = (text: string | Buffer) => Buffer.from(text).toString('base64');
const decode = (data: string, filename?: string) => decodeDocument({ data, filename, param });
const PDF = '%PDF-1.7\n1 0 obj << /Type /Catalog >> endobj';

describe('decodeDocument reads', () => {
  test.each([
    [
      'a data URL',
      `data:text/plain;base64,${base64('Weiche 7 ist grün')}`,
      undefined,
      'text/plain',
      'Weiche 7 ist grün',
    ],
    ['an upper-case scheme and type', `DATA:Text/CSV;BASE64,${base64('a,b')}`, undefined, 'text/csv', 'a,b'],
    [
      'bare base64, with the type of its file name',
      base64('# Title'),
      'notes.MD',
      'text/markdown',
      '# Title',
    ],
    ['bare base64 of an unknown type', base64('plain words'), 'notes.xyz', 'text/plain', 'plain words'],
    ['JSON', `data:application/json;base64,${base64('{"a":1}')}`, undefined, 'application/json', '{"a":1}'],
    [
      'an image in a text format',
      `data:image/svg+xml;base64,${base64('<svg/>')}`,
      undefined,
      'image/svg+xml',
      '<svg/>',
    ],
    [
      'an unknown application type',
      `data:application/x-own;base64,${base64('own')}`,
      undefined,
      'application/x-own',
      'own',
    ],
    [
      'base64 with line breaks',
      `data:text/plain;base64,${base64('broken lines').replace(/(.{4})/g, '$1\r\n')}`,
      undefined,
      'text/plain',
      'broken lines',
    ],
    ['base64 without padding', base64('no pad').replace(/=+$/, ''), 'a.txt', 'text/plain', 'no pad'],
    ['a byte order mark', base64(`\uFEFFmarked`), 'a.txt', 'text/plain', 'marked'],
    [
      'declared Latin-1',
      `data:text/plain;charset=ISO-8859-1;base64,${base64(Buffer.from('dépôt', 'latin1'))}`,
      undefined,
      'text/plain',
      'dépôt',
    ],
    [
      'declared UTF-16',
      `data:text/plain;charset="utf-16le";base64,${base64(Buffer.from('dépôt', 'utf16le'))}`,
      undefined,
      'text/plain',
      'dépôt',
    ],
  ])('%s', (_name, data, filename, mediaType, text) => {
    expect(decode(data, filename)).toEqual({ mediaType, format: 'text', text });
  });
});

describe('decodeDocument returns bytes for formats that need a parser', () => {
  const page = Buffer.from('<p>Dépôt</p>', 'latin1');
  test.each([
    [
      'a PDF by its media type',
      `data:application/pdf;base64,${base64(PDF)}`,
      undefined,
      'pdf',
      Buffer.from(PDF),
    ],
    ['a PDF by its content', base64(PDF), 'report.txt', 'pdf', Buffer.from(PDF)],
    ['a web page that may declare its own charset', base64(page), 'page.html', 'html', page],
    [
      'a web page in a declared charset, converted to UTF-8',
      `data:text/html;charset=latin1;base64,${base64(page)}`,
      undefined,
      'html',
      Buffer.from('<p>Dépôt</p>'),
    ],
  ])('%s', (_name, data, filename, format, bytes) => {
    expect(decode(data, filename)).toMatchObject({ format, bytes });
  });
});

describe('decodeDocument rejects', () => {
  test.each([
    [
      'other content with the media type of a PDF',
      `data:application/pdf;base64,${base64('x')}`,
      undefined,
      'unsupported_document',
    ],
    ['other content with the file name of a DOCX', base64('x'), 'report.docx', 'unsupported_document'],
    ['an image', `data:image/png;base64,${base64('pretends')}`, undefined, 'unsupported_document'],
    [
      'an office document',
      `data:application/vnd.openxmlformats-officedocument;base64,${base64('x')}`,
      undefined,
      'unsupported_document',
    ],
    [
      'bytes that are not UTF-8',
      `data:text/plain;base64,${base64(Buffer.from([0x61, 0xff, 0xfe]))}`,
      undefined,
      'unsupported_document',
    ],
    ['text with NUL', `data:text/plain;base64,${base64('a\0b')}`, undefined, 'unsupported_document'],
    [
      'an unknown charset',
      `data:text/plain;charset=klingon;base64,${base64('a')}`,
      undefined,
      'unsupported_document',
    ],
    ['empty data', '', 'a.txt', 'unsupported_document'],
    ['only white space', base64(' \n\t '), 'a.txt', 'unsupported_document'],
    ['data that is not base64', 'data:text/plain;base64,%%%not!base64', undefined, 'invalid_value'],
    ['text that is not encoded', 'plain words, as they are', 'a.txt', 'invalid_value'],
    ['base64 that continues after its padding', `${base64('a')}AAAA`, 'a.txt', 'invalid_value'],
    ['a data URL that is not base64', 'data:text/plain,hello', undefined, 'invalid_value'],
    ['a data URL without a comma', 'data:text/plain;base64', undefined, 'invalid_value'],
  ])('%s', (_name, data, filename, code) => {
    expect(() => decode(data, filename)).toThrow(expect.objectContaining({ code, param }));
  });

  test('errors do not quote the document', () => {
    expect(() => decode('my secret plan', 'a.txt')).toThrow(
      expect.not.objectContaining({ message: expect.stringMatching('secret') }),
    );
  });
});

test('a document of 20 MB is decoded', () => {
  const text = 'Zug um Zug. '.repeat(1_700_000);
  const data = `data:text/plain;base64,${base64(text)}`;
  const decoded = decode(data);
  expect(decoded.format === 'text' && decoded.text.length).toBe(text.length);
});
