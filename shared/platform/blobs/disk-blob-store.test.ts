import { describe, expect, test } from '@jest/globals';
import { mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { blobStoreConformance } from '../../../test/conformance/blob-store.ts';
import { createDiskBlobStore } from './disk-blob-store.ts';

async function setUp() {
  const folder = await mkdtemp(join(tmpdir(), 'turnout-blobs-'));
  return {
    folder,
    store: createDiskBlobStore(folder),
    damage: async (name: string) => {
      const bytes = await readFile(join(folder, name));
      await writeFile(join(folder, name), Buffer.concat([bytes.subarray(1), Buffer.from('x')]));
    },
    shorten: async (name: string) => truncate(join(folder, name), (await stat(join(folder, name))).size - 1),
    cleanUp: () => rm(folder, { recursive: true, force: true }),
  };
}

blobStoreConformance('the disk', setUp);

describe('the disk blob store', () => {
  test('writes files that only their owner can read, and leaves no temporary file', async () => {
    const { folder, store, cleanUp } = await setUp();
    try {
      await store.put('jobs/1/a', 'text');
      expect((await stat(join(folder, 'jobs/1'))).mode & 0o777).toBe(0o700);
      expect((await stat(join(folder, 'jobs/1/a'))).mode & 0o777).toBe(0o600);
      expect(await readdir(join(folder, 'jobs/1'))).toEqual(['a']);
    } finally {
      await cleanUp();
    }
  });

  test('reports a failing disk as a retryable error that hides the file path from clients', async () => {
    const { folder, store, cleanUp } = await setUp();
    try {
      await writeFile(join(folder, 'jobs'), 'a file where a folder should be');
      const failure = store.put('jobs/1/a', 'text');
      await expect(failure).rejects.toMatchObject({ code: 'store_unavailable', retryable: true });
      await expect(failure).rejects.not.toThrow(folder);
    } finally {
      await cleanUp();
    }
  });
});
