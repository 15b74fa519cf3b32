import { describe, expect, test } from '@jest/globals';
import { createHash } from 'node:crypto';
import { type BlobRef } from '../../../shared/platform/blobs/blob-ref.ts';
import { UnreadableDocument } from '../documents/extract/unreadable-document.ts';
import { createPassageChooser } from '../documents/passage-chooser.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { silentLogger } from '../../../shared/platform/log/logger.ts';
import { fetchPieces } from './fetch-pieces.ts';
import { type ContextSources } from '../sources/context-source.ts';
import { createDocumentSource, type DocumentSourceDeps } from '../sources/document-source.ts';

const TEXT = 'The 07:12 to Ostheim leaves from platform 4.';
const inline = { kind: 'inline', text: TEXT } as const;
const ref: BlobRef = {
  kind: 'blob',
  name: 'jobs/1/document-0',
  sha256: createHash('sha256').update(TEXT).digest('hex'),
  bytes: 44,
};

const document = (content: object = inline, changes: object = {}) => ({
  kind: 'document',
  piece: 'document-0',
  document: { index: 0, name: 'timetable.txt', mediaType: 'text/plain', content },
  budget: 100,
  shareMs: 60_000,
  ...changes,
});

function job(changes: object = {}, content: object = inline) {
  return {
    version: 2,
    jobId: `job_${'0'.repeat(32)}`,
    user: 'user-1',
    deadlineAt: Date.now() + 60_000,
    routedAt: Date.now(),
    question: 'Which platform?',
    pieces: [document(content)],
    ...changes,
  };
}

const unavailable = new TurnoutError('store_unavailable');
const failing = (error: Error) => ({ get: () => Promise.reject(error), load: () => Promise.reject(error) });

const never = () => Promise.reject(new Error('must not be asked'));

function sourcesWith(deps: Partial<DocumentSourceDeps> = {}): ContextSources {
  const blobs = {
    get: () => Promise.resolve(Buffer.from(TEXT)),
    load: () => Promise.resolve(undefined),
  };
  const all = { blobs, chooser: createPassageChooser(), extractor: { extract: never }, ...deps };
  return {
    document: createDocumentSource(all),
    history: { name: 'history', fetch: never },
    remote: { name: 'remote', fetch: never },
  };
}

const ground = (deps: Partial<DocumentSourceDeps> = {}, hasEnded = () => Promise.resolve(false)) => ({
  sources: sourcesWith(deps),
  hasEnded,
  now: Date.now,
  log: silentLogger,
});

async function prepare(data: unknown, deps: Partial<DocumentSourceDeps> = {}, lastAttempt = true) {
  const pieces = await fetchPieces(ground(deps), data, { lastAttempt });
  return pieces[0];
}

describe('fetchPieces', () => {
  test.each([
    ['inline', inline],
    ['in the blob store', ref],
  ])('a document that is %s becomes passages', async (_where, content) => {
    expect(await prepare(job({}, content))).toEqual({
      status: 'ready',
      kind: 'passages',
      piece: 'document-0',
      name: 'timetable.txt',
      passages: [{ text: TEXT, position: 0, score: expect.any(Number) }],
      leftOut: 0,
      ms: expect.any(Number),
    });
  });

  test.each([
    ['another version', job({ version: 1 })],
    ['a bad job id', job({ jobId: '../job' })],
    ['no budget', job({ pieces: [document(inline, { budget: 0 })] })],
    ['an unknown kind', job({ pieces: [document(inline, { kind: 'oracle' })] })],
  ])('data with %s give a failed piece, never a thrown error', async (_what, data) => {
    expect(await prepare(data, {}, false)).toMatchObject({
      status: 'failed',
      piece: 'document-0',
      code: 'unreadable_message',
    });
  });

  test.each(['text', null, { pieces: 'none' }, { pieces: [null, 7] }])(
    'data without pieces (%j) give none',
    async (data) => expect(await prepare(data)).toBeUndefined(),
  );

  test('the pieces of a job that has ended are not fetched', async () => {
    const blobs = failing(new Error('must not be asked'));
    const deps = ground({ blobs }, () => Promise.resolve(true));
    const pieces = await fetchPieces(deps, job({ pieces: [document(ref), document(ref)] }), {
      lastAttempt: false,
    });
    expect(pieces).toMatchObject([{ code: 'cancelled' }, { code: 'cancelled' }]);
  });

  test('fetching a piece stops when its job ends', async () => {
    let ended = false;
    const blobs = {
      load: () => Promise.resolve(undefined),
      get: (_ref: BlobRef, signal?: AbortSignal) =>
        new Promise<Buffer>((_resolve, reject) => {
          signal?.addEventListener('abort', () => reject(signal.reason as Error));
          ended = true;
        }),
    };
    const deps = ground({ blobs }, () => Promise.resolve(ended));
    const pieces = await fetchPieces(deps, job({}, ref), { lastAttempt: false });
    expect(pieces).toMatchObject([{ code: 'cancelled' }]);
  });

  test('a piece is fetched even if the check for the end of its job fails', async () => {
    const deps = ground({}, () => Promise.reject(new Error('Redis is away')));
    const pieces = await fetchPieces(deps, job(), { lastAttempt: true });
    expect(pieces).toMatchObject([{ status: 'ready' }]);
  });

  test('a piece whose deadline has passed is not started', async () => {
    const blobs = failing(new Error('must not be asked'));
    expect(await prepare(job({ deadlineAt: Date.now() - 1 }, ref), { blobs })).toMatchObject({
      code: 'deadline_exceeded',
    });
  });

  test('a piece that passes its deadline is aborted', async () => {
    const blobs = {
      load: () => Promise.resolve(undefined),
      get: (_ref: BlobRef, signal?: AbortSignal) =>
        new Promise<Buffer>((_resolve, reject) =>
          signal?.addEventListener('abort', () => reject(signal.reason as Error)),
        ),
    };
    // The deadline's timer does not keep the process alive; this one does, like a worker's connections.
    const alive = setInterval(() => undefined, 1_000);
    const piece = await prepare(job({ deadlineAt: Date.now() + 30 }, ref), { blobs });
    clearInterval(alive);
    expect(piece).toMatchObject({ status: 'failed', code: 'deadline_exceeded' });
  });

  test('an unavailable blob store is thrown, so that the job is retried, but not in the last attempt', async () => {
    const blobs = failing(unavailable);
    await expect(prepare(job({}, ref), { blobs }, false)).rejects.toBe(unavailable);
    expect(await prepare(job({}, ref), { blobs }, true)).toMatchObject({
      status: 'failed',
      code: 'store_unavailable',
    });
  });

  test.each([
    ['a damaged body', new TurnoutError('unreadable_message'), 'unreadable_message'],
    ['an unexpected error', new Error('/data/blobs: the inside'), 'context_failed'],
  ])('%s gives a failed piece that shows no internal details', async (_what, error, code) => {
    const piece = await prepare(job({}, ref), { blobs: failing(error) }, false);
    expect(piece).toMatchObject({ status: 'failed', code });
    expect(JSON.stringify(piece)).not.toContain('/data');
  });

  const raw = { kind: 'raw', format: 'pdf', blob: ref } as const;
  const ready = { status: 'ready', passages: [{ text: TEXT }] };

  test('a document that needs a parser is extracted first', async () => {
    const asked: unknown[] = [];
    const extractor: DocumentSourceDeps['extractor'] = {
      extract: async ({ format, bytes }) => {
        asked.push({ format, bytes: typeof bytes === 'function' ? await bytes() : 'held while it waits' });
        return Buffer.from(TEXT);
      },
    };
    expect(await prepare(job({}, raw), { extractor })).toMatchObject(ready);
    expect(asked).toEqual([{ format: 'pdf', bytes: Buffer.from(TEXT) }]);
  });

  test('a file whose text is stored is not extracted again', async () => {
    const loaded: string[] = [];
    const blobs = {
      ...failing(new Error('must not be asked')),
      load: (name: string) => (loaded.push(name), Promise.resolve(Buffer.from(TEXT))),
    };
    expect(await prepare(job({}, { ...raw, text: 'files/1/text' }), { blobs })).toMatchObject(ready);
    expect(loaded).toEqual(['files/1/text']);
  });

  test('an unreadable document fails at once, with its name and the reason', async () => {
    const extractor = { extract: () => Promise.reject(new UnreadableDocument('password')) };
    expect(await prepare(job({}, raw), { extractor }, false)).toMatchObject({
      status: 'failed',
      code: 'unsupported_document',
      message: 'The document "timetable.txt" cannot be read: it is protected by a password.',
    });
  });

  describe('a share of the time', () => {
    const hanging = () => new Promise<never>(() => undefined);
    const fetched = { kind: 'passages' as const, name: 'wiki', passages: [], leftOut: 0 };
    const remote = (piece: string, shareMs: number) =>
      ({ kind: 'remote', piece, source: 'wiki', budget: 100, shareMs }) as const;
    const history = {
      kind: 'history',
      piece: 'history',
      model: 'm',
      beside: 0,
      request: { kind: 'inline', request: { model: 'm', messages: [{ role: 'user', content: 'Hi' }] } },
      shareMs: 20,
    } as const;

    test.each([
      ['document', document(inline, { shareMs: 20 })],
      ['history', history],
      ['remote', remote('source-wiki', 20)],
    ] as const)(
      'a %s that hangs and ignores the signal is abandoned at the end of its share',
      async (kind, piece) => {
        const sources = { ...sourcesWith(), [kind]: { name: kind, fetch: hanging } };
        const pieces = await fetchPieces({ ...ground(), sources }, job({ pieces: [piece] }), {
          lastAttempt: false,
        });
        expect(pieces).toMatchObject([{ status: 'failed', piece: piece.piece, code: 'source_timeout' }]);
      },
    );

    test('the time in the queue counts: a piece that is too late is not started', async () => {
      const data = job({ routedAt: Date.now() - 1_000, pieces: [remote('source-wiki', 500)] });
      expect(await prepare(data)).toMatchObject({ status: 'failed', code: 'source_timeout' });
    });

    test('pieces fetched one after another each have their own share, and those after a hanging one are fetched', async () => {
      const order: string[] = [];
      const fetch = ({ piece }: { piece: string }) => {
        order.push(piece);
        return piece === 'source-a' ? hanging() : Promise.resolve(fetched);
      };
      const sources: ContextSources = { ...sourcesWith(), remote: { name: 'remote', fetch } };
      const pieces = [remote('source-a', 20), remote('source-b', 1_000), remote('source-c', 1_000)];
      const found = await fetchPieces({ ...ground(), sources }, job({ pieces }), {
        lastAttempt: true,
      });
      expect(found.map(({ status }) => status)).toEqual(['failed', 'ready', 'ready']);
      expect(order).toEqual(['source-a', 'source-b', 'source-c']);
    });
  });
});
