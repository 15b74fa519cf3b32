import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { toFile } from 'openai';
import type OpenAI from 'openai';
import { until } from '../../stack/until.ts';
import { docxBomb, docxOf, lockedDocx, lockedPdf, pdfOf } from '../harness/documents.ts';
import { type RunningServices, startServices } from '../harness/services.ts';
import { failureOf, openaiClient } from './support.ts';

jest.setTimeout(60_000);

const cut = (bytes: Buffer) => bytes.subarray(0, Math.floor(bytes.length / 2));

/** Files whose defect is found only when they are parsed. */
const UNREADABLE: readonly [what: string, name: string, bytes: Buffer, why: RegExp][] = [
  ['a PDF with a password', 'locked.pdf', lockedPdf(), /protected by a password/i],
  ['a PDF that is cut off', 'cut.pdf', cut(pdfOf('One.', 'Two.')), /damaged|no text/i],
  ['a DOCX that is cut off', 'cut.docx', cut(docxOf('One.', 'Two.')), /damaged/i],
  ['a DOCX that unpacks to 2 GB', 'bomb.docx', docxBomb(2_000), /more memory than is allowed/i],
  ['text without words', 'blank.txt', Buffer.from(' \n\n '), /no text in it|empty/i],
];

/** Files whose defect is found at the upload. */
const REFUSED: readonly [what: string, name: string, bytes: Buffer, why: RegExp][] = [
  ['a DOCX with a password', 'locked.docx', lockedDocx(), /protected by a password/i],
  ['an empty file', 'empty.txt', Buffer.alloc(0), /empty/i],
  ['an image with the name of a PDF', 'picture.pdf', Buffer.from('\x89PNG\0'), /not a PDF/i],
];

let services: RunningServices;
let client: OpenAI;

beforeAll(async () => {
  services = await startServices({ only: ['ingress', 'router', 'context-worker', 'llm-worker'] });
  client = openaiClient(services, { maxRetries: 0 });
}, 60_000);
afterAll(() => services.stop());

function ask(file: { file_id: string } | { filename: string; file_data: string }) {
  const content = [
    { type: 'text' as const, text: 'What does it say?' },
    { type: 'file' as const, file },
  ];
  return client.chat.completions.create({ model: 'turnout-sim', messages: [{ role: 'user', content }] });
}

const upload = async (name: string, bytes: Buffer) =>
  client.files.create({ file: await toFile(bytes, name), purpose: 'user_data' });
const inline = (filename: string, bytes: Buffer) => ({ filename, file_data: bytes.toString('base64') });

describe('an unreadable document causes a typed error', () => {
  test.each(UNREADABLE)(
    '%s: in its file object, in a request that names the file, and inline',
    async (_what, name, bytes, why) => {
      const file = await upload(name, bytes);
      const read = async () =>
        (await client.files.retrieve(file.id)) as { status: string; status_details?: string };
      expect(
        await until(async () => (await read()).status === 'error', { timeoutMs: 20_000, everyMs: 20 }),
      ).toBe(true);
      expect(await read()).toMatchObject({ status_details: expect.stringMatching(why) });
      for (const part of [{ file_id: file.id }, inline(name, bytes)])
        expect(await failureOf(ask(part))).toMatchObject({
          status: 400,
          code: 'unsupported_document',
          message: expect.stringMatching(why),
        });
    },
  );

  test.each(REFUSED)('%s: before anything is stored', async (_what, name, bytes, why) => {
    for (const call of [upload(name, bytes), ask(inline(name, bytes))])
      expect(await failureOf(call)).toMatchObject({
        status: 400,
        code: 'unsupported_document',
        message: expect.stringMatching(why),
      });
    expect((await client.files.list()).data.map(({ filename }) => filename)).not.toContain(name);
  });

  test('an upload of 100 MB: during the transfer, and nothing of it is stored', async () => {
    expect(await failureOf(upload('huge.txt', Buffer.alloc(100_000_000, 'x')))).toMatchObject({
      status: 413,
      code: 'body_too_large',
      param: 'file',
    });
    expect((await client.files.list()).data.map(({ filename }) => filename)).not.toContain('huge.txt');
  });
});
