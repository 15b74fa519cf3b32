import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createHash, randomBytes } from 'node:crypto';
import { type BlobStore } from '../../shared/blobs/blob-store.ts';

/** A store under test, and the two things that can befall a body behind its back. */
export interface BlobStoreUnderTest {
  store: BlobStore;
  /** Changes one byte of the stored body; its length stays. */
  damage(name: string): Promise<void>;
  /** Cuts the stored body short by one byte. */
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

/** What every blob store promises; run by the test of each adapter. */
export function blobStoreConformance(adapter: string, setUp: () => Promise<BlobStoreUnderTest>): void {
  describe(`${adapter} keeps the promises of a blob store`, () => {
    let under: BlobStoreUnderTest;
    let store: BlobStore;

    beforeEach(async () => {
      under = await setUp();
      store = under.store;
    });
    afterEach(() => under.cleanUp());

    test('text and bytes come back as they were put', async () => {
      const text = 'Weiche 7 — 道岔 \u{1F6E4}';
      const bytes = randomBytes(70_000);
      expect((await store.get(await store.put('jobs/1/text', text))).toString()).toBe(text);
      expect(await store.get(await store.put('jobs/1/bytes', bytes))).toEqual(bytes);
      expect(await store.get(await store.put('jobs/1/empty', ''))).toHaveLength(0);
    });

    test('the reference tells the name, the length in bytes and the SHA-256', async () => {
      const sha256 = createHash('sha256').update('dépôt').digest('hex');
      expect(await store.put('jobs/1/a', 'dépôt')).toEqual({
        kind: 'blob',
        name: 'jobs/1/a',
        sha256,
        bytes: 7,
      });
    });

    test('a body of 20 MB comes back whole', async () => {
      const body = randomBytes(20 * 1024 * 1024);
      expect((await store.get(await store.put('jobs/1/large', body))).equals(body)).toBe(true);
    });

    test('the last put of a name wins, and concurrent puts leave one whole body', async () => {
      const bodies = Array.from({ length: 8 }, (_, index) => String(index).repeat(100_000));
      const refs = await Promise.all(bodies.map((body) => store.put('jobs/1/a', body)));
      const reads = await Promise.allSettled(refs.map((ref) => store.get(ref)));
      expect(reads.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      expect((await store.get(await store.put('jobs/1/a', 'last'))).toString()).toBe('last');
    });

    test('a missing body is a typed error that no retry heals', async () => {
      const ref = await store.put('jobs/1/a', 'text');
      await expect(store.get({ ...ref, name: 'jobs/1/b' })).rejects.toMatchObject({
        code: 'unreadable_message',
      });
      await expect(store.get({ ...ref, name: 'jobs/1/a/b' })).rejects.toMatchObject({
        code: 'unreadable_message',
      });
    });

    test('a damaged or shortened body is a typed error, never wrong bytes', async () => {
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
      await expect(store.get(ref)).rejects.toMatchObject(refused);
      await expect(store.removeFolder(name)).rejects.toMatchObject(refused);
      await expect(store.staleFolders(name, 0)).rejects.toMatchObject(refused);
    });

    test('an aborted read rejects with the reason of its signal', async () => {
      const ref = await store.put('jobs/1/a', 'text');
      await expect(store.get(ref, AbortSignal.abort(new Error('too late')))).rejects.toThrow('too late');
    });

    test('removing a folder removes what is below it and nothing else', async () => {
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

    test('the stale folders are those in which nothing was put lately', async () => {
      expect(await store.staleFolders('jobs', 0)).toEqual([]);
      await store.put('jobs/1/a', 'a');
      await store.put('jobs/2/b', 'b');
      await store.put('other/3/c', 'c');
      expect((await store.staleFolders('jobs', 0)).sort()).toEqual(['jobs/1', 'jobs/2']);
      expect(await store.staleFolders('jobs', 60_000)).toEqual([]);
    });
  });
}
