import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { fastify, type FastifyInstance } from 'fastify';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import OpenAI, { toFile } from 'openai';
import { createDiskBlobStore } from '../../../shared/platform/blobs/disk-blob-store.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { type ExtractJob } from '../../../shared/content/files/extract-job.ts';
import { type FileRegistry, type NewFile } from '../../../shared/content/files/file-registry.ts';
import { silentLogger } from '../../../shared/platform/log/logger.ts';
import { docxOf, pdfOf } from '../../../test/harness/documents.ts';
import { installErrorHandling } from '../api/errors.ts';
import { validatorCompiler } from '../http/validation.ts';
import { fileRoutes } from './route.ts';

const MAX_BYTES = 200_000;
const ID = /^file-[0-9a-f]{32}$/;

let folder: string;
let app: FastifyInstance;
let client: OpenAI;
let url: string;
let created: NewFile[];
let queued: ExtractJob[];
let createFails: TurnoutError | undefined;

/** A fake registry that stores created files; its other behaviour is tested against a real Redis. */
const files: FileRegistry = {
  create: (file) => {
    if (createFails) return Promise.reject(createFails);
    created.push(file);
    return Promise.resolve();
  },
  find: (user, id) => {
    const file = created.find((one) => one.id === id && one.owner === user);
    return Promise.resolve(file && { ...file, status: 'uploaded', details: undefined, text: undefined });
  },
  list: () => Promise.resolve({ files: [], hasMore: false }),
  storedBytes: () => Promise.resolve(0),
  remove: () => Promise.resolve(false),
  settle: () => Promise.resolve('' as const),
  standing: () => Promise.resolve('gone' as const),
};

beforeEach(async () => {
  [created, queued, createFails] = [[], [], undefined];
  folder = await mkdtemp(join(tmpdir(), 'turnout-files-'));
  app = fastify();
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(() => JSON.stringify);
  // As in the service, whose other routes parse JSON differently.
  app.removeContentTypeParser('application/json');
  app.addContentTypeParser('application/json', (_request, _body, done) => done(new Error('a body was read')));
  installErrorHandling(app, silentLogger);
  await fileRoutes(app, {
    blobs: createDiskBlobStore(folder),
    files,
    queue: { add: (job) => Promise.resolve(void queued.push(job)) },
    limits: { admit: () => Promise.resolve(Infinity) },
    maxBytes: MAX_BYTES,
    caller: () => ({ keyId: 'key_1', user: 'user-1', groups: [], admin: false }),
    log: silentLogger,
  });
  url = await app.listen({ host: '127.0.0.1', port: 0 });
  client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 });
});

afterEach(async () => {
  await app.close();
  await rm(folder, { recursive: true, force: true });
});

const upload = async (name: string, bytes: Buffer | string, type?: string) =>
  client.files.create({
    file: await toFile(Buffer.from(bytes), name, type ? { type } : {}),
    purpose: 'user_data',
  });

/** The folders in the blob store, one per file. */
const stored = () => readdir(join(folder, 'files')).catch(() => []);

function form(parts: Record<string, string | Blob>): FormData {
  const data = new FormData();
  for (const [name, value] of Object.entries(parts)) data.append(name, value);
  return data;
}
const post = (body: NonNullable<RequestInit['body']>, headers: Record<string, string> = {}) =>
  fetch(`${url}/v1/files`, { method: 'POST', body, headers });

describe('an upload', () => {
  test('returns OpenAI’s file object, can be downloaded unchanged, and queues the extraction of its text', async () => {
    const bytes = Buffer.from('a,b\n1,2\n'.repeat(20_000));
    const file = await upload('Fahrplan 道岔.csv', bytes);
    expect(file).toEqual({
      id: expect.stringMatching(ID),
      object: 'file',
      bytes: bytes.length,
      created_at: expect.any(Number),
      filename: 'Fahrplan 道岔.csv',
      purpose: 'user_data',
      status: 'uploaded',
    });
    expect(await client.files.retrieve(file.id)).toEqual(file);
    const content = await client.files.content(file.id);
    expect(Buffer.from(await content.arrayBuffer()).equals(bytes)).toBe(true);
    expect(content.headers.get('content-type')).toBe('application/octet-stream');
    expect(content.headers.get('content-disposition')).toMatch(
      /^attachment; .*filename\*=UTF-8''Fahrplan%20/,
    );
    expect(queued).toMatchObject([{ fileId: file.id, format: 'text', content: { bytes: bytes.length } }]);
  });

  test.each<[string, string | undefined, Buffer | string, string]>([
    ['report.pdf', 'application/pdf', pdfOf('x'), 'pdf'],
    ['report.docx', undefined, docxOf('x'), 'docx'],
    ['page.html', 'text/html; charset=utf-8', '<p>x</p>', 'html'],
    ['notes.md', undefined, '# x', 'text'],
    ['data.json', 'application/json', '{"a":1}', 'text'],
  ])('of %s is detected as the right format', async (name, type, bytes, format) => {
    await upload(name, bytes, type);
    expect(created).toMatchObject([{ format }]);
  });

  test('accepts fields after the file, and an expiry', async () => {
    const parts = {
      file: new File(['x'], 'a.txt'),
      'expires_after[anchor]': 'created_at',
      'expires_after[seconds]': '3600',
      purpose: 'assistants',
    };
    const file = (await (await post(form(parts))).json()) as { created_at: number; expires_at: number };
    expect(file).toMatchObject({ purpose: 'assistants', expires_at: file.created_at + 3_600 });
  });

  test('with a malicious name gets a harmless one', async () => {
    await upload('../../x/evil\u202Efdp.txt', 'x');
    expect(created[0]?.filename).toBe('evil fdp.txt');
  });
});

describe('a rejected upload leaves nothing behind and names the problem', () => {
  test.each<[string, () => Promise<Response>, number, string, string | null]>([
    ['no purpose', () => post(form({ file: new File(['x'], 'a.txt') })), 400, 'invalid_value', 'purpose'],
    [
      'an unknown purpose',
      () => post(form({ purpose: 'fun', file: new File(['x'], 'a.txt') })),
      400,
      'invalid_value',
      'purpose',
    ],
    ['no file', () => post(form({ purpose: 'batch' })), 400, 'invalid_value', 'file'],
    [
      'text instead of a file',
      () => post(form({ purpose: 'batch', file: 'words' })),
      400,
      'invalid_value',
      'file',
    ],
    [
      'a file in another field',
      () => post(form({ purpose: 'batch', document: new File(['x'], 'a.txt') })),
      400,
      'invalid_value',
      'file',
    ],
    [
      'an unknown field',
      () => post(form({ purpose: 'batch', file: new File(['x'], 'a.txt'), colour: 'red' })),
      400,
      'invalid_value',
      'colour',
    ],
    [
      'an empty file',
      () => post(form({ purpose: 'batch', file: new File([''], 'a.txt') })),
      400,
      'unsupported_document',
      'file',
    ],
    [
      'an image',
      () => post(form({ purpose: 'vision', file: new File(['\x89PNG\0'], 'a.png', { type: 'image/png' }) })),
      400,
      'unsupported_document',
      'file',
    ],
    [
      'a file that is named as a PDF but is not one',
      () => post(form({ purpose: 'batch', file: new File(['x'], 'a.pdf') })),
      400,
      'unsupported_document',
      'file',
    ],
    [
      'a file that is too large',
      () => post(form({ purpose: 'batch', file: new File(['x'.repeat(MAX_BYTES + 1)], 'a.txt') })),
      413,
      'body_too_large',
      'file',
    ],
    [
      'a file that is far too large',
      () => post(form({ purpose: 'batch', file: new File(['x'.repeat(5_000_000)], 'a.txt') })),
      413,
      'body_too_large',
      'file',
    ],
    ['JSON', () => post('{}', { 'content-type': 'application/json' }), 415, 'unsupported_media_type', null],
    [
      'a body that is not a form',
      () => post('words', { 'content-type': 'multipart/form-data; boundary=x' }),
      400,
      'invalid_value',
      null,
    ],
    [
      'a form without a boundary',
      () => post('words', { 'content-type': 'multipart/form-data' }),
      400,
      'invalid_value',
      null,
    ],
    [
      'an incomplete form',
      () =>
        post(
          '--x\r\ncontent-disposition: form-data; name="file"; filename="a.txt"\r\n\r\nwords and more words',
          { 'content-type': 'multipart/form-data; boundary=x' },
        ),
      400,
      'invalid_value',
      null,
    ],
  ])('%s', async (_what, send, status, code, param) => {
    const response = await send();
    expect(await response.json()).toMatchObject({ error: { code, param } });
    expect(response.status).toBe(status);
    expect(await stored()).toEqual([]);
    expect(created).toEqual([]);
  });

  test('a file that is too large and sent without its length', async () => {
    const encoder = new TextEncoder();
    const head = '--x\r\ncontent-disposition: form-data; name="file"; filename="a.txt"\r\n\r\n';
    const chunks = [head, ...Array.from({ length: 100 }, () => 'x'.repeat(50_000))];
    const body = ReadableStream.from(chunks.map((chunk) => encoder.encode(chunk)));
    const headers = { 'content-type': 'multipart/form-data; boundary=x' };
    const response = await fetch(`${url}/v1/files`, { method: 'POST', body, headers, duplex: 'half' });
    expect(response.status).toBe(413);
    expect(await stored()).toEqual([]);
  });

  test('two files', async () => {
    const data = form({ purpose: 'batch', file: new File(['x'], 'a.txt') });
    data.append('file', new File(['y'], 'b.txt'));
    const response = await post(data);
    expect(response.status).toBe(400);
    expect(await stored()).toEqual([]);
  });

  test('one file more than allowed', async () => {
    createFails = new TurnoutError('too_many_files', { param: 'file' });
    await expect(upload('a.txt', 'x')).rejects.toMatchObject({ status: 400, code: 'too_many_files' });
    expect(await stored()).toEqual([]);
  });
});

test('the bytes of an upload stay for the sweep if its record may have been written', async () => {
  createFails = new TurnoutError('store_unavailable');
  await expect(upload('a.txt', 'x')).rejects.toMatchObject({ status: 503, code: 'store_unavailable' });
  expect(await stored()).toHaveLength(1);
});

test('a client that disconnects during an upload leaves nothing behind', async () => {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  const head = 'POST /v1/files HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n';
  socket.write(`${head}content-type: multipart/form-data; boundary=x\r\n\r\n`);
  socket.write('--x\r\ncontent-disposition: form-data; name="file"; filename="a.txt"\r\n\r\n');
  socket.write('words '.repeat(2_000));
  while ((await stored()).length === 0) await new Promise((resolve) => setImmediate(resolve));
  socket.destroy();
  while ((await stored()).length > 0) await new Promise((resolve) => setImmediate(resolve));
  expect(created).toEqual([]);
});

describe('query parameters of the list are validated', () => {
  test.each([
    ['limit=0', 'limit'],
    ['limit=10001', 'limit'],
    ['limit=ten', 'limit'],
    ['order=up', 'order'],
    ['after=job_1', 'after'],
    ['purpose=fun', 'purpose'],
  ])('%s', async (query, param) => {
    const response = await fetch(`${url}/v1/files?${query}`);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { code: 'invalid_value', param } });
  });
});

test('every operation on a missing file returns 404', async () => {
  const missing = { status: 404, code: 'file_not_found', type: 'not_found_error' };
  for (const id of [`file-${'0'.repeat(32)}`, 'file-1', '..%2f..']) {
    await expect(client.files.retrieve(id)).rejects.toMatchObject(missing);
    await expect(client.files.content(id)).rejects.toMatchObject(missing);
    await expect(client.files.delete(id)).rejects.toMatchObject(missing);
  }
  // As the Python SDK sends it.
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(`${url}/v1/files/file-1`, { method: 'DELETE', headers });
  expect(await response.json()).toMatchObject({ error: { code: 'file_not_found' } });
});
