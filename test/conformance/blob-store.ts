import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createHash, randomBytes } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { type BlobStore } from '../../shared/platform/blobs/blob-store.ts';

/** A store under test, and the two ways in which a stored body can be corrupted. */
export interface BlobStoreUnderTest {
  store: BlobStore;
  /** Changes one byte of the stored body and keeps its length. */
  damage(name: string): Promise<void>;
  /** Removes the last byte of the stored body. */
  shorten(name: string): Promise<void>;
  cleanUp(): Promise<void>;
}

const HOSTILE_NAMES = [
  '',
  '.',
  '..',
  '../outside',
  'jobs/../../outside',
  'jobs/..',
  '/etc/passwd',
  'jobs//document',
  'jobs/',
  'jobs/.hidden',
  'jobs\\..\\outside',
  'jobs/document\0.txt',
  'jobs/document\n',
  'jobs/%2e%2e/outside',
  `jobs/${'x'.repeat(200)}`,
  'a/b/c/d/e/f/g/h/i',
];

/** A body in chunks, as from a socket. Ends by throwing `failure`, if given. */
async function* inChunks(body: Buffer, failure?: Error): AsyncGenerator<Buffer> {
  for (let at = 0; at < body.length; at += 65_536) {
    yield body.subarray(at, at + 65_536);
    await turn();
  }
  if (failure) throw failure;
}

async function collect(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(stream));
}

/** The behaviour that every blob store must have. Each adapter's test runs these tests. */
export function blobStoreConformance(adapter: string, setUp: () => Promise<BlobStoreUnderTest>): void {
  describe(`${adapter} conforms to the blob store contract`, () => {
    let under: BlobStoreUnderTest;
    let store: BlobStore;

    beforeEach(async () => {
      under = await setUp();
      store = under.store;
    });
    afterEach(() => under.cleanUp());

    test('text and bytes are read back as they were written', async () => {
      const text = 'Weiche 7 — 道岔 \u{1F6E4}';
      const bytes = randomBytes(70_000);
      expect((await store.get(await store.put('jobs/1/text', text))).toString()).toBe(text);
      expect(await store.get(await store.put('jobs/1/bytes', bytes))).toEqual(bytes);
      expect(await store.get(await store.put('jobs/1/empty', ''))).toHaveLength(0);
    });

    test('the reference has the name, the length in bytes and the SHA-256', async () => {
      const sha256 = createHash('sha256').update('dépôt').digest('hex');
      expect(await store.put('jobs/1/a', 'dépôt')).toEqual({
        kind: 'blob',
        name: 'jobs/1/a',
        sha256,
        bytes: 7,
      });
    });

    test('a body of 20 MB is read back whole', async () => {
      const body = randomBytes(20 * 1024 * 1024);
      expect((await store.get(await store.put('jobs/1/large', body))).equals(body)).toBe(true);
    });

    test('the last write of a name wins, and concurrent writes leave one whole body', async () => {
      const bodies = Array.from({ length: 8 }, (_, index) => String(index).repeat(100_000));
      const refs = await Promise.all(bodies.map((body) => store.put('jobs/1/a', body)));
      const reads = await Promise.allSettled(refs.map((ref) => store.get(ref)));
      expect(reads.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      expect((await store.get(await store.put('jobs/1/a', 'last'))).toString()).toBe('last');
    });

    test('a streamed body is stored whole, and can be streamed back', async () => {
      const body = randomBytes(12 * 1024 * 1024);
      const ref = await store.putStream('files/1/content', inChunks(body), body.length);
      const sha256 = createHash('sha256').update(body).digest('hex');
      expect(ref).toEqual({ kind: 'blob', name: 'files/1/content', sha256, bytes: body.length });
      expect((await collect(await store.openStream(ref))).equals(body)).toBe(true);
      expect((await store.get(ref)).equals(body)).toBe(true);
      const empty = await store.putStream('files/1/empty', inChunks(Buffer.alloc(0)), 0);
      expect(await collect(await store.openStream(empty))).toHaveLength(0);
    });

    test.each([7_000_000, 10])('a stream longer than its limit of %i bytes stores nothing', async (limit) => {
      const put = store.putStream('files/1/content', inChunks(randomBytes(limit + 1)), limit);
      await expect(put).rejects.toMatchObject({ code: 'body_too_large' });
      expect(await store.load('files/1/content')).toBeUndefined();
    });

    test('an interrupted stream leaves the previous body, and rejects with the stream’s own error', async () => {
      await store.put('files/1/content', 'before');
      const hungUp = new Error('the client hung up');
      const put = store.putStream('files/1/content', inChunks(randomBytes(7_000_000), hungUp), Infinity);
      await expect(put).rejects.toBe(hungUp);
      expect((await store.load('files/1/content'))?.toString()).toBe('before');
    });

    test('a damaged body fails while it is streamed; a missing or shortened one fails at once', async () => {
      const ref = await store.put('files/1/a', randomBytes(3_000_000));
      await under.damage(ref.name);
      await expect(collect(await store.openStream(ref))).rejects.toMatchObject({
        code: 'unreadable_message',
      });
      await under.shorten(ref.name);
      const unreadable = { code: 'unreadable_message' };
      await expect(store.openStream(ref)).rejects.toMatchObject(unreadable);
      await expect(store.openStream({ ...ref, name: 'files/1/b' })).rejects.toMatchObject(unreadable);
    });

    test('load finds the last body without a reference, and undefined if there is none', async () => {
      expect(await store.load('jobs/1/a')).toBeUndefined();
      await store.put('jobs/1/a', 'first');
      await store.put('jobs/1/a', 'second');
      expect((await store.load('jobs/1/a'))?.toString()).toBe('second');
    });

    test('a missing body causes a typed error that is not retryable', async () => {
      const ref = await store.put('jobs/1/a', 'text');
      await expect(store.get({ ...ref, name: 'jobs/1/b' })).rejects.toMatchObject({
        code: 'unreadable_message',
      });
      await expect(store.get({ ...ref, name: 'jobs/1/a/b' })).rejects.toMatchObject({
        code: 'unreadable_message',
      });
    });

    test('a damaged or shortened body causes a typed error, never wrong bytes', async () => {
      const ref = await store.put('jobs/1/a', 'the whole truth');
      await under.damage(ref.name);
      await expect(store.get(ref)).rejects.toMatchObject({
        code: 'unreadable_message',
        message: expect.stringMatching(/damaged/),
      });
      await store.put('jobs/1/a', 'the whole truth');
      await under.shorten(ref.name);
      await expect(store.get(ref)).rejects.toMatchObject({
        code: 'unreadable_message',
        message: expect.stringMatching(/damaged/),
      });
    });

    test.each(HOSTILE_NAMES)('the name %j is refused by every call', async (name) => {
      const refused = { code: 'unreadable_message', message: expect.stringMatching(/name/) };
      const ref = { kind: 'blob', name, sha256: '0'.repeat(64), bytes: 4 } as const;
      await expect(store.put(name, 'text')).rejects.toMatchObject(refused);
      await expect(store.putStream(name, inChunks(Buffer.from('text')), 4)).rejects.toMatchObject(refused);
      await expect(store.openStream(ref)).rejects.toMatchObject(refused);
      await expect(store.load(name)).rejects.toMatchObject(refused);
      await expect(store.get(ref)).rejects.toMatchObject(refused);
      await expect(store.removeFolder(name)).rejects.toMatchObject(refused);
      await expect(store.listFolders(name, { limit: 1 })).rejects.toMatchObject(refused);
    });

    test('an aborted read rejects with the reason of its signal', async () => {
      const ref = await store.put('jobs/1/a', 'text');
      await expect(store.get(ref, AbortSignal.abort(new Error('too late')))).rejects.toThrow('too late');
    });

    test('removing a folder removes everything below it and nothing else', async () => {
      const [gone, deep, kept] = await Promise.all([
        store.put('jobs/1/a', 'a'),
        store.put('jobs/1/deep/b', 'b'),
        store.put('jobs/11/c', 'c'),
      ]);
      await store.removeFolder('jobs/1');
      await store.removeFolder('jobs/1');
      await expect(store.get(gone)).rejects.toMatchObject({ code: 'unreadable_message' });
      await expect(store.get(deep)).rejects.toMatchObject({ code: 'unreadable_message' });
      expect((await store.get(kept)).toString()).toBe('c');
    });

    test('folders are listed in pages, each once, with the time of their last write', async () => {
      expect(await store.listFolders('jobs', { limit: 2 })).toEqual([]);
      const began = Date.now() - 2_000;
      const names = ['1', '1-1', '10', '1_', '2', 'a.b', 'a'];
      for (const name of names) await store.put(`jobs/${name}/deep/a`, 'a');
      await store.put('jobs/1/b', 'b');
      await store.put('jobs/no-folder', 'c');
      await store.put('other/3/c', 'c');
      const found: string[] = [];
      for (let after: string | undefined; ;) {
        const page = await store.listFolders('jobs', { after, limit: 2 });
        expect(page.length).toBeLessThanOrEqual(2);
        for (const { changedAt } of page) expect(changedAt).toBeGreaterThan(began);
        found.push(...page.map(({ name }) => name));
        if (page.length < 2) break;
        after = page.at(-1)?.name;
      }
      expect(found.sort()).toEqual([...names].sort());
    });
  });
}
