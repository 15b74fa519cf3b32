import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { newFileId } from '../../shared/platform/ids.ts';
import {
  createFileRegistry,
  type FileRegistry,
  type NewFile,
} from '../../shared/content/files/file-registry.ts';
import { contentName } from '../../shared/content/files/stored-file.ts';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { connectRedisWaiting, type Redis } from '../../shared/platform/redis/connect.ts';
import { fileKeys } from '../../shared/platform/redis/keys.ts';
import { testEnv } from '../harness/env.ts';
import { removeKeys } from '../harness/scan-keys.ts';

const prefix = `t-files-${randomBytes(4).toString('hex')}`;
const keys = fileKeys(prefix);
const GRACE_MS = 60_000;
const MAX_FILES = 20;
const [ANN, BOB] = ['ann', 'bob {of} Ostheim'];

let redis: Redis;
let files: FileRegistry;

beforeAll(() => {
  redis = connectRedisWaiting(testEnv().REDIS_URL, 'files-test', silentLogger);
  files = createFileRegistry({ redis, keys, maxFilesPerUser: MAX_FILES, graceMs: GRACE_MS });
});

async function clear() {
  await removeKeys(redis, `${prefix}:*`);
}
beforeEach(clear);
afterAll(async () => {
  await clear();
  await redis.quit();
});

let clock = 1_700_000_000_000;

function newFile(owner: string, changes: Partial<NewFile> = {}): NewFile {
  const createdAt = (clock += 1_000);
  const id = newFileId(owner, createdAt);
  const content = { kind: 'blob', name: contentName(id), sha256: 'a'.repeat(64), bytes: 9 } as const;
  const about = {
    filename: 'Fahrplan.txt',
    purpose: 'user_data',
    format: 'text',
    mediaType: 'text/plain',
  } as const;
  return { id, owner, ...about, createdAt, expiresAt: undefined, content, ...changes };
}

async function create(owner: string, changes: Partial<NewFile> = {}): Promise<NewFile> {
  const file = newFile(owner, changes);
  await files.create(file);
  return file;
}

const idsOf = async (...query: Parameters<FileRegistry['list']>) =>
  (await files.list(...query)).files.map(({ id }) => id);

test('a file is found unchanged by its owner, and by no other user', async () => {
  const { owner, ...file } = await create(ANN);
  expect(owner).toBe(ANN);
  expect(await files.find(ANN, file.id)).toEqual({
    ...file,
    status: 'uploaded',
    details: undefined,
    text: undefined,
  });
  expect(await files.find(BOB, file.id)).toBeUndefined();
  expect(await files.remove(BOB, file.id)).toBe(false);
  expect(await files.find(ANN, '../../x')).toBeUndefined();
  expect(await files.find(ANN, file.id)).toBeDefined();
});

describe('the list', () => {
  test('has the newest first or last, page by page, and only the caller’s own files', async () => {
    const made: string[] = [];
    for (let i = 0; i < 5; i += 1) made.push((await create(BOB)).id);
    await create(ANN);
    expect(await idsOf(BOB, { limit: 10, order: 'asc' })).toEqual(made);
    expect(await idsOf(BOB, { limit: 10, order: 'desc' })).toEqual(made.toReversed());
    const first = await files.list(BOB, { limit: 2, order: 'desc' });
    expect(first.hasMore).toBe(true);
    const rest = await files.list(BOB, { limit: 3, order: 'desc', after: first.files.at(-1)?.id });
    expect(rest).toMatchObject({ hasMore: false });
    expect([...first.files, ...rest.files].map(({ id }) => id)).toEqual(made.toReversed());
  });

  test('continues after a file that has been deleted meanwhile', async () => {
    const [oldest, middle] = [await create(ANN), await create(ANN)];
    await files.remove(ANN, middle.id);
    expect(await idsOf(ANN, { limit: 1, order: 'desc', after: middle.id })).toEqual([oldest.id]);
  });

  test('by purpose has all matching files, however rare they are', async () => {
    const rare = await create(ANN, { purpose: 'batch' });
    for (let i = 0; i < 7; i += 1) await create(ANN);
    expect(await files.list(ANN, { limit: 1, order: 'desc', purpose: 'batch' })).toMatchObject({
      files: [{ id: rare.id }],
      hasMore: false,
    });
  });
});

describe('a deleted or expired file', () => {
  test('is gone at once for its user, and its record remains while its bytes may be needed', async () => {
    const file = await create(ANN);
    expect(await files.remove(ANN, file.id)).toBe(true);
    expect(await files.find(ANN, file.id)).toBeUndefined();
    expect(await idsOf(ANN, { limit: 10, order: 'asc' })).toEqual([]);
    expect(await files.remove(ANN, file.id)).toBe(false);
    expect(await files.standing(file.id)).toBe('ending');
    const left = await redis.pttl(keys.record(file.id));
    expect(left).toBeGreaterThan(GRACE_MS / 2);
    expect(left).toBeLessThanOrEqual(GRACE_MS);
  });

  test('expires to the millisecond and frees its slot, and its record is removed after the grace period', async () => {
    const expired = await create(ANN, { expiresAt: Date.now() });
    expect(await files.find(ANN, expired.id)).toBeUndefined();
    expect(await files.remove(ANN, expired.id)).toBe(false);
    expect(await idsOf(ANN, { limit: 10, order: 'asc' })).toEqual([]);
    expect(await files.standing(expired.id)).toBe('ending');
    for (let i = 0; i < MAX_FILES; i += 1) await create(ANN);
    await expect(create(ANN)).rejects.toMatchObject({ code: 'too_many_files' });
    await create(BOB);
    expect(await redis.pttl(keys.record(expired.id))).toBeLessThanOrEqual(GRACE_MS);
  });
});

describe('extracting a file’s text', () => {
  const text = { kind: 'blob', name: 'files/x/text', sha256: 'b'.repeat(64), bytes: 5 } as const;

  test('settles the file’s status once', async () => {
    const { id } = await create(ANN);
    const processed = { status: 'processed', text } as const;
    expect(await files.settle(id, processed)).toBe('processed');
    expect(await files.settle(id, { status: 'error', details: 'too late' })).toBe('processed');
    expect(await files.find(ANN, id)).toMatchObject({
      status: 'processed',
      details: undefined,
      text: { ...text, name: `files/${id}/text` },
    });
  });

  test('records why it failed', async () => {
    const { id } = await create(ANN);
    await files.settle(id, { status: 'error', details: 'It is protected by a password.' });
    expect(await files.find(ANN, id)).toMatchObject({
      status: 'error',
      details: 'It is protected by a password.',
    });
  });

  test('creates no record if the file has none', async () => {
    const { id } = newFile(ANN);
    expect(await files.settle(id, { status: 'processed', text })).toBe('');
    expect(await files.standing(id)).toBe('gone');
  });
});

describe('the bytes of a user’s files', () => {
  const QUOTA = 90;

  test('never exceed their quota, however many files are uploaded at once', async () => {
    const asked = Array.from({ length: 15 }, () => files.create(newFile(ANN), QUOTA));
    const results = await Promise.allSettled(asked);
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(10);
    expect(results.find(({ status }) => status === 'rejected')).toMatchObject({
      reason: { code: 'storage_limit_exceeded', status: 413 },
    });
    expect(await files.storedBytes(ANN)).toBe(QUOTA);
    expect(await files.storedBytes(BOB)).toBe(0);
  });

  test('are given back once for a deletion, however often it is requested', async () => {
    const { id } = await create(ANN);
    await create(ANN);
    await Promise.all([files.remove(ANN, id), files.remove(ANN, id), files.remove(BOB, id)]);
    expect(await files.storedBytes(ANN)).toBe(9);
  });

  test('are given back when a file expires', async () => {
    await create(ANN, { expiresAt: Date.now() - 1 });
    await create(ANN, { expiresAt: Date.now() + 60_000 });
    expect(await files.storedBytes(ANN)).toBe(9);
    await files.create(newFile(ANN), 18);
    await expect(files.create(newFile(ANN), 18)).rejects.toMatchObject({ code: 'storage_limit_exceeded' });
  });
});
