import { createHash } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { chatRequest } from '../../../shared/contracts/chat-request.ts';
import { type StoredFile } from '../../../shared/content/files/stored-file.ts';
import { docxOf, pdfOf } from '../../../test/harness/documents.ts';
import { invalidValue } from '../http/validation.ts';
import { createBodyWork } from '../bodies/body-work.ts';
import { takeDocuments as takeWith } from './take-documents.ts';

const file = (filename: string | undefined, text: string) => ({
  type: 'file',
  file: {
    ...(filename === undefined ? {} : { filename }),
    file_data: `data:text/plain;base64,${Buffer.from(text).toString('base64')}`,
  },
});
const attached = (filename: string, bytes: Buffer) => ({
  type: 'file',
  file: { filename, file_data: bytes.toString('base64') },
});
const stored = (file_id: string) => ({ type: 'file', file: { file_id } });

const PDF_ID = `file-${'1'.repeat(32)}`;
const NOTES_ID = `file-${'2'.repeat(32)}`;
const BROKEN_ID = `file-${'3'.repeat(32)}`;
const SHA256 = 'a'.repeat(64);
const blob = (name: string) => ({ kind: 'blob', name, sha256: SHA256, bytes: 9 }) as const;

function storedFile(id: string, changes: Partial<StoredFile>): StoredFile {
  return {
    id,
    filename: 'report.pdf',
    purpose: 'user_data',
    format: 'pdf',
    mediaType: 'application/pdf',
    createdAt: 1,
    expiresAt: undefined,
    status: 'uploaded',
    details: undefined,
    content: blob(`files/${id}/content`),
    text: undefined,
    ...changes,
  };
}

const FILES = new Map([
  [PDF_ID, storedFile(PDF_ID, {})],
  [
    NOTES_ID,
    storedFile(NOTES_ID, {
      filename: 'notes.md',
      mediaType: 'text/markdown',
      format: 'text',
      status: 'processed',
      text: blob(`files/${NOTES_ID}/text`),
    }),
  ],
  [BROKEN_ID, storedFile(BROKEN_ID, { status: 'error', details: 'It is protected by a password.' })],
]);
const takeDocuments = (asked: ReturnType<typeof request>) =>
  takeWith(
    asked,
    (id) => Promise.resolve(FILES.get(id)),
    (document) => createBodyWork().decode(document),
  );
const inline = (text: string) => ({
  version: createHash('sha256').update(text).digest('hex'),
  content: { kind: 'inline', text },
});
const say = (text: string) => ({ type: 'text', text });
const request = (...messages: unknown[]) => chatRequest.parse({ model: 'm', temperature: 0.5, messages });

describe('takeDocuments', () => {
  test('returns a request without files unchanged', async () => {
    const plain = request({ role: 'user', content: 'What is a turnout?' });
    const taken = await takeDocuments(plain);
    expect(taken.request).toBe(plain);
    expect(taken).toMatchObject({ documents: [], question: 'What is a turnout?' });
  });

  test('removes the files from all messages, numbers them in order, and keeps everything else', async () => {
    const image = { type: 'image_url', image_url: { url: 'https://example.org/a.png' } };
    const taken = await takeDocuments(
      request(
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: [file('a.txt', 'Alpha'), say('What is in a?'), image], name: 'ann' },
        { role: 'assistant', content: 'Alpha.' },
        { role: 'user', content: [say('And in these?'), file('b.txt', 'Beta'), file(undefined, 'Gamma')] },
      ),
    );
    expect(taken.documents).toEqual([
      { index: 0, name: 'a.txt', mediaType: 'text/plain', ...inline('Alpha') },
      { index: 1, name: 'b.txt', mediaType: 'text/plain', ...inline('Beta') },
      { index: 2, name: 'document-3', mediaType: 'text/plain', ...inline('Gamma') },
    ]);
    expect(taken.request).toEqual(
      request(
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: [say('What is in a?'), image], name: 'ann' },
        { role: 'assistant', content: 'Alpha.' },
        { role: 'user', content: [say('And in these?')] },
      ),
    );
    expect(taken.question).toBe('And in these?');
  });

  test('a message that had only files names them, and the question is the last text of a user', async () => {
    const taken = await takeDocuments(
      request(
        { role: 'user', content: 'Summarise what I send next.' },
        { role: 'user', content: [file('a.txt', 'A'), file('"b\n".txt', 'B')] },
      ),
    );
    expect(taken.request.messages[1]).toEqual({
      role: 'user',
      content: [say('Attached: "a.txt", "b .txt"')],
    });
    expect(taken.question).toBe('Summarise what I send next.');
  });

  test('a long question is reduced to its beginning and its end', async () => {
    const { question } = await takeDocuments(
      request({ role: 'user', content: `Begin ${'x '.repeat(1_000_000)} end?` }),
    );
    expect(question).toMatch(/^Begin .* end\?$/s);
    expect(question.length).toBeLessThan(4_100);
  });

  test('rejects too many files', async () => {
    const file = { type: 'file' as const, file: { filename: 'a.txt', file_data: 'eA==' } };
    const content = Array.from({ length: 257 }, () => file);
    const ask = () => takeDocuments({ model: 'm', messages: [{ role: 'user', content }] });
    await expect(ask()).rejects.toMatchObject({ code: 'invalid_value', param: 'messages' });
  });

  test('an error names the exact content part', async () => {
    const bad = {
      type: 'file',
      file: { filename: 'a.bin', file_data: Buffer.from('a\0b').toString('base64') },
    };
    const withBad = request(
      { role: 'user', content: 'Hi' },
      { role: 'user', content: [say('Read'), file('a.txt', 'A'), bad] },
    );
    await expect(takeDocuments(withBad)).rejects.toMatchObject({
      code: 'unsupported_document',
      param: 'messages[1].content[2].file.file_data',
    });
  });

  test('formats that need a parser stay bytes, whatever their file name', async () => {
    const [pdf, docx] = [pdfOf('Platform 11'), docxOf('Platform 11')];
    const parts = [
      attached('report.txt', pdf),
      attached('report.docx', docx),
      file('page.html', '<p>11</p>'),
    ];
    const html = { type: 'file', file: { file_data: `data:text/html;base64,${btoa('<p>11</p>')}` } };
    const { documents } = await takeDocuments(request({ role: 'user', content: [...parts, html] }));
    expect(documents.map(({ content }) => content)).toEqual([
      { kind: 'bytes', format: 'pdf', bytes: pdf },
      { kind: 'bytes', format: 'docx', bytes: docx },
      { kind: 'inline', text: '<p>11</p>' }, // it was sent as text/plain
      { kind: 'bytes', format: 'html', bytes: Buffer.from('<p>11</p>') },
    ]);
  });

  test('a stored file is passed as its extracted text if available, else as its bytes, in the order of the request', async () => {
    const content = [stored(NOTES_ID), file('a.txt', 'Alpha'), stored(PDF_ID)];
    const { documents, request: rest } = await takeDocuments(request({ role: 'user', content }));
    expect(documents).toEqual([
      {
        index: 0,
        name: 'notes.md',
        mediaType: 'text/markdown',
        fileId: NOTES_ID,
        version: SHA256,
        content: blob(`files/${NOTES_ID}/text`),
      },
      { index: 1, name: 'a.txt', mediaType: 'text/plain', ...inline('Alpha') },
      {
        index: 2,
        name: 'report.pdf',
        mediaType: 'application/pdf',
        fileId: PDF_ID,
        version: SHA256,
        content: {
          kind: 'raw',
          format: 'pdf',
          blob: blob(`files/${PDF_ID}/content`),
          text: `files/${PDF_ID}/text`,
        },
      },
    ]);
    expect(rest.messages[0]?.content).toEqual([say('Attached: "notes.md", "a.txt", "report.pdf"')]);
  });

  test.each([
    ['a file that does not belong to the caller', `file-${'9'.repeat(32)}`, 'file_not_found'],
    ['an invalid id', '../../etc/passwd', 'file_not_found'],
    ['a file whose text could not be extracted', BROKEN_ID, 'unsupported_document'],
  ])('%s is rejected with the path of its content part', async (_what, id, code) => {
    const asked = request(
      { role: 'user', content: 'Hi' },
      { role: 'user', content: [say('Read'), stored(id)] },
    );
    await expect(takeDocuments(asked)).rejects.toMatchObject({
      code,
      param: 'messages[1].content[1].file.file_id',
    });
  });

  test.each([{}, { filename: 'a.txt' }, { file_data: 'eA==', file_id: PDF_ID }])(
    'a content part with %j is rejected because it needs exactly one of file_data and file_id',
    (part) => {
      const parsed = chatRequest.safeParse({
        model: 'm',
        messages: [{ role: 'user', content: [say('Read'), { type: 'file', file: part }] }],
      });
      expect(parsed.success ? undefined : invalidValue(parsed.error.issues)).toMatchObject({
        code: 'invalid_value',
        param: 'messages[0].content[1].file',
      });
    },
  );
});
