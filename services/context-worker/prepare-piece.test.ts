import { describe, expect, test } from '@jest/globals';
import { createHash } from 'node:crypto';
import { type BlobRef } from '../../shared/contracts/job-message.ts';
import { UnreadableDocument } from '../../shared/documents/extract/unreadable-document.ts';
import { createPassageChooser } from '../../shared/documents/passage-chooser.ts';
import { TurnoutError } from '../../shared/errors/turnout-error.ts';
import { silentLogger } from '../../shared/log/logger.ts';
import { preparePiece, type PreparePieceDeps } from './prepare-piece.ts';

const TEXT = 'The 07:12 to Ostheim leaves from platform 4.';
const inline = { kind: 'inline', text: TEXT } as const;
const ref: BlobRef = {
  kind: 'blob',
  name: 'jobs/1/document-0',
  sha256: createHash('sha256').update(TEXT).digest('hex'),
  bytes: 44,
};

function job(changes: object = {}, content: object = inline) {
  return {
    version: 1,
    jobId: `job_${'0'.repeat(32)}`,
    deadlineAt: Date.now() + 60_000,
    piece: 'document-0',
    question: 'Which platform?',
    document: { index: 0, name: 'timetable.txt', mediaType: 'text/plain', content },
    budget: 100,
    ...changes,
  };
}

const unavailable = new TurnoutError('store_unavailable');
const failing = (error: Error) => ({ get: () => Promise.reject(error), load: () => Promise.reject(error) });

function prepare(data: unknown, deps: Partial<PreparePieceDeps> = {}, lastAttempt = true) {
  const blobs = {
    get: () => Promise.resolve(Buffer.from(TEXT)),
    load: () => Promise.resolve(undefined),
  };
  const extractor = { extract: () => Promise.reject(new Error('must not be asked')) };
  const all = { blobs, chooser: createPassageChooser(), extractor, log: silentLogger, ...deps };
  return preparePiece(all, data, { lastAttempt });
}

describe('preparePiece', () => {
  test.each([
    ['inline', inline],
    ['in the blob store', ref],
  ])('a document that lies %s becomes its passages', async (_where, content) => {
    expect(await prepare(job({}, content))).toEqual({
      status: 'ready',
      piece: 'document-0',
      name: 'timetable.txt',
      passages: [{ text: TEXT, position: 0, score: 0 }],
      leftOut: 0,
      ms: expect.any(Number),
    });
  });

  test.each([
    ['no object', 'text', 'unknown'],
    ['another version', job({ version: 2 }), 'document-0'],
    ['a bad job id', job({ jobId: '../job' }), 'document-0'],
    ['no budget', job({ budget: 0 }), 'document-0'],
  ])('data with %s is a failed piece, never a thrown error', async (_what, data, piece) => {
    expect(await prepare(data, {}, false)).toMatchObject({
      status: 'failed',
      piece,
      code: 'unreadable_message',
    });
  });

  test('late work is dropped before it is begun', async () => {
    const blobs = failing(new Error('must not be asked'));
    expect(await prepare(job({ deadlineAt: Date.now() - 1 }, ref), { blobs })).toMatchObject({
      code: 'deadline_exceeded',
    });
  });

  test('work that passes its deadline is dropped in the middle', async () => {
    const blobs = {
      load: () => Promise.resolve(undefined),
      get: (_ref: BlobRef, signal?: AbortSignal) =>
        new Promise<Buffer>((_resolve, reject) =>
          signal?.addEventListener('abort', () => reject(signal.reason as Error)),
        ),
    };
    // The deadline's timer keeps no process alive; this one stands for a worker's connections.
    const alive = setInterval(() => undefined, 1_000);
    const piece = await prepare(job({ deadlineAt: Date.now() + 30 }, ref), { blobs });
    clearInterval(alive);
    expect(piece).toMatchObject({ status: 'failed', code: 'deadline_exceeded', name: 'timetable.txt' });
  });

  test('an unavailable blob store is thrown for another attempt, but not in the last one', async () => {
    const blobs = failing(unavailable);
    await expect(prepare(job({}, ref), { blobs }, false)).rejects.toBe(unavailable);
    expect(await prepare(job({}, ref), { blobs }, true)).toMatchObject({
      status: 'failed',
      code: 'store_unavailable',
    });
  });

  test.each([
    ['a damaged body', new TurnoutError('unreadable_message'), 'unreadable_message'],
    ['an unforeseen error', new Error('/data/blobs: the inside'), 'context_failed'],
  ])('%s is a failed piece that tells nothing of the inside', async (_what, error, code) => {
    const piece = await prepare(job({}, ref), { blobs: failing(error) }, false);
    expect(piece).toMatchObject({ status: 'failed', code });
    expect(JSON.stringify(piece)).not.toContain('/data');
  });

  const raw = { kind: 'raw', format: 'pdf', blob: ref } as const;
  const ready = { status: 'ready', passages: [{ text: TEXT }] };

  test('a document that needs a parser is read first', async () => {
    const asked: unknown[] = [];
    const extractor: PreparePieceDeps['extractor'] = {
      extract: async ({ format, bytes }) => {
        asked.push({ format, bytes: typeof bytes === 'function' ? await bytes() : 'held while it waits' });
        return Buffer.from(TEXT);
      },
    };
    expect(await prepare(job({}, raw), { extractor })).toMatchObject(ready);
    expect(asked).toEqual([{ format: 'pdf', bytes: Buffer.from(TEXT) }]);
  });

  test('the text of a file that was read already is not read again', async () => {
    const loaded: string[] = [];
    const blobs = {
      ...failing(new Error('must not be asked')),
      load: (name: string) => (loaded.push(name), Promise.resolve(Buffer.from(TEXT))),
    };
    expect(await prepare(job({}, { ...raw, text: 'files/1/text' }), { blobs })).toMatchObject(ready);
    expect(loaded).toEqual(['files/1/text']);
  });

  test('a document that cannot be read fails by its name and its reason, at once', async () => {
    const extractor = { extract: () => Promise.reject(new UnreadableDocument('password')) };
    expect(await prepare(job({}, raw), { extractor }, false)).toMatchObject({
      status: 'failed',
      code: 'unsupported_document',
      message: 'The document "timetable.txt" cannot be read: it is protected by a password.',
    });
  });
});
