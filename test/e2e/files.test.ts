import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { createReadStream, openAsBlob } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type OpenAI from 'openai';
import { toFile } from 'openai';
import { type FileObject } from 'openai/resources/files';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { bullPrefix, DOCUMENT_QUEUE } from '../../shared/jobs/queues/names.ts';
import { connectRedisWaiting } from '../../shared/platform/redis/connect.ts';
import { docxOf, pdfBomb, pdfOf } from '../harness/documents.ts';
import { until } from '../../stack/until.ts';
import { testEnv } from '../harness/env.ts';
import { type RunningS3, startS3 } from '../harness/s3.ts';
import { type RunningServices, startServices } from '../harness/services.ts';
import { failureOf, openaiClient } from './support.ts';

jest.setTimeout(60_000);

const FACT = 'The night train to Ostheim leaves from platform 11.';
const QUESTION = 'From which platform does the night train to Ostheim leave?';
const DOCUMENTS: readonly (readonly [string, Buffer])[] = [
  ['timetable.pdf', pdfOf('Soup is served until ten.', FACT)],
  ['timetable.docx', docxOf('Soup is served until ten.', FACT)],
  [
    'timetable.html',
    Buffer.from(`<html><body><h1>Soup</h1><p>${FACT}</p><script>x()</script></body></html>`),
  ],
  ['timetable.csv', Buffer.from(`train,platform\n"${FACT}",11\n`)],
];

const EXPIRING = [
  ['purpose', 'user_data'],
  ['expires_after[anchor]', 'created_at'],
  ['expires_after[seconds]', '3600'],
] as const;

const byId = (file_id: string) => ({ type: 'file' as const, file: { file_id } });
const inline = (filename: string, bytes: Buffer) => ({
  type: 'file' as const,
  file: { filename, file_data: bytes.toString('base64') },
});

async function ask(client: OpenAI, ...parts: (ReturnType<typeof byId> | ReturnType<typeof inline>)[]) {
  const content = [{ type: 'text' as const, text: QUESTION }, ...parts];
  const completion = await client.chat.completions.create({
    model: 'turnout-sim',
    messages: [{ role: 'user', content }],
  });
  return completion.choices[0]?.message.content ?? '';
}

async function upload(client: OpenAI, name: string, bytes: Buffer): Promise<FileObject> {
  return client.files.create({ file: await toFile(bytes, name), purpose: 'user_data' });
}

/** OpenAI marks `status` as deprecated, but it tells whether a file can be read. */
interface WithStatus {
  status: string;
}

async function onceRead(client: OpenAI, { id }: FileObject): Promise<WithStatus> {
  for (;;) {
    const file: WithStatus = await client.files.retrieve(id);
    if (file.status !== 'uploaded') return file;
    await delay(20);
  }
}

describe.each(['disk', 's3'])('files in the blob store %s', (store) => {
  let s3: RunningS3 | undefined;
  let services: RunningServices;
  let client: OpenAI;

  beforeAll(async () => {
    s3 = store === 's3' ? await startS3() : undefined;
    services = await startServices({ env: { MAX_FILE_BYTES: '3000000', ...s3?.env } });
    client = openaiClient(services, { maxRetries: 0 });
  }, 120_000);
  afterAll(async () => {
    await services.stop();
    await s3?.stop();
  }, 60_000);

  test.each(DOCUMENTS)(
    '%s is uploaded, read, and quoted in an answer to a question with its id',
    async (name, bytes) => {
      const file = await upload(client, name, bytes);
      expect(file).toMatchObject({ object: 'file', filename: name, bytes: bytes.length, status: 'uploaded' });
      expect(await ask(client, byId(file.id))).toContain('platform 11'); // even if it has not been parsed yet
      expect(await onceRead(client, file)).toMatchObject({ status: 'processed' });
      expect(await ask(client, byId(file.id))).toContain('platform 11');
      const content = await client.files.content(file.id);
      expect(Buffer.from(await content.arrayBuffer()).equals(bytes)).toBe(true);
    },
  );

  test.each(DOCUMENTS)('%s inline in a request is read as well', async (name, bytes) => {
    expect(await ask(client, inline(name, bytes))).toContain('platform 11');
  });

  test('a file can be used in the Responses API as well', async () => {
    const file = await upload(client, ...(DOCUMENTS[0] ?? ['', Buffer.of()]));
    const content = [
      { type: 'input_text' as const, text: QUESTION },
      { type: 'input_file' as const, file_id: file.id },
    ];
    const { output_text: text } = await client.responses.create({
      model: 'turnout-sim',
      input: [{ role: 'user', content }],
    });
    expect(text).toContain('platform 11');
  });

  test('hostile documents fail only their own requests, with a typed error', async () => {
    const bomb = await upload(client, 'report.pdf', pdfBomb(2_000));
    const hostile = [ask(client, byId(bomb.id)), ask(client, inline('report.pdf', pdfBomb(2_000)))];
    const failures = Promise.all(hostile.map((call) => failureOf(call)));
    const answers = await Promise.all(DOCUMENTS.map((document) => ask(client, inline(...document))));
    for (const answer of answers) expect(answer).toContain('platform 11');
    for (const failure of await failures)
      expect(failure).toMatchObject({
        status: 400,
        code: 'unsupported_document',
        message: expect.stringMatching(/"report.pdf" cannot be read.*memory/i),
      });
    expect(await onceRead(client, bomb)).toMatchObject({
      status: 'error',
      status_details: 'Reading it takes more memory than is allowed.',
    });
    expect(await failureOf(ask(client, byId(bomb.id)))).toMatchObject({
      code: 'unsupported_document',
      param: 'messages[0].content[1].file.file_id',
    });
  });

  test('does not exist for another user', async () => {
    const file = await upload(client, 'secret.txt', Buffer.from(FACT));
    const other = openaiClient(services, { apiKey: testEnv().TURNOUT_API_KEY_2, maxRetries: 0 });
    const missing = { status: 404, code: 'file_not_found' };
    await expect(other.files.retrieve(file.id)).rejects.toMatchObject(missing);
    await expect(other.files.content(file.id)).rejects.toMatchObject(missing);
    await expect(other.files.delete(file.id)).rejects.toMatchObject(missing);
    await expect(ask(other, byId(file.id))).rejects.toMatchObject(missing);
    expect((await other.files.list()).data).toEqual([]);
  });

  test('the SDK lists page by page, even while it deletes the files it has received', async () => {
    await upload(client, 'one.txt', Buffer.from('1'));
    await upload(client, 'two.txt', Buffer.from('2'));
    const seen: string[] = [];
    for await (const { id, filename } of client.files.list({ limit: 1, order: 'asc' })) {
      seen.push(filename);
      expect(await client.files.delete(id)).toEqual({ id, object: 'file', deleted: true });
    }
    expect(seen.slice(-2)).toEqual(['one.txt', 'two.txt']);
    expect((await client.files.list()).data).toEqual([]);
  });

  test('deleting a file does not fail a job that was accepted before', async () => {
    await services.kill('context-worker');
    const file = await upload(client, ...(DOCUMENTS[0] ?? ['', Buffer.of()]));
    const answer = ask(client, byId(file.id));
    const redis = connectRedisWaiting(testEnv().REDIS_URL, 'files-e2e', silentLogger);
    const waiting = `${bullPrefix(services.prefix)}:${DOCUMENT_QUEUE}:prioritized`;
    const waits = async () => (await redis.zcard(waiting)) > 0;
    const queued = await until(waits, { timeoutMs: 20_000, everyMs: 10 });
    await redis.quit();
    expect(queued).toBe(true);
    await client.files.delete(file.id);
    await services.start('context-worker');
    expect(await answer).toContain('platform 11');
    await expect(ask(client, byId(file.id))).rejects.toMatchObject({ status: 404 });
  });

  test('the SDK uploads a stream from the disk, and any client a form', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'turnout-upload-'));
    const path = join(folder, 'large.txt');
    await writeFile(path, `${'The line was quiet. '.repeat(100_000)}\n\n${FACT}`);
    const file = await client.files.create({ file: createReadStream(path), purpose: 'assistants' });
    expect(file).toMatchObject({ filename: 'large.txt', purpose: 'assistants', bytes: 2_000_053 });
    expect(await ask(client, byId(file.id))).toContain('platform 11');
    const form = new FormData();
    form.set('file', await openAsBlob(path), 'large.txt');
    for (const [name, value] of EXPIRING) form.set(name, value);
    const headers = { authorization: `Bearer ${testEnv().TURNOUT_API_KEY}` };
    const response = await fetch(`${services.url}/v1/files`, { method: 'POST', headers, body: form });
    const sent = (await response.json()) as FileObject;
    expect(sent).toMatchObject({ object: 'file', bytes: file.bytes, expires_at: sent.created_at + 3_600 });
    await rm(folder, { recursive: true, force: true });
  });

  test('a file over the limit is a typed 413', async () => {
    const failure = await failureOf(upload(client, 'large.txt', Buffer.alloc(3_000_001, 'x')));
    expect(failure).toMatchObject({ status: 413, code: 'body_too_large', param: 'file' });
  });
});
