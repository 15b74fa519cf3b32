import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createBlobSweep, GRACE_MS } from '../../services/ingress/maintenance/blob-sweep.ts';
import { sweptKinds } from '../../services/ingress/maintenance/swept-kinds.ts';
import { type BlobStore } from '../../shared/platform/blobs/blob-store.ts';
import { createDiskBlobStore } from '../../shared/platform/blobs/disk-blob-store.ts';
import { createRemovals, withPlannedRemovals } from '../../shared/platform/blobs/removals.ts';
import { createStoreIdentity } from '../../shared/platform/blobs/store-identity.ts';
import { createSweepState } from '../../shared/platform/blobs/sweep-state.ts';
import { newFileId, newJobId } from '../../shared/platform/ids.ts';
import { createFileRegistry, type NewFile } from '../../shared/content/files/file-registry.ts';
import { contentName } from '../../shared/content/files/stored-file.ts';
import { createJobLog } from '../../shared/jobs/joblog/job-log.ts';
import { type Logger, silentLogger } from '../../shared/platform/log/logger.ts';
import { connectRedisWaiting, type Redis } from '../../shared/platform/redis/connect.ts';
import { blobKeys, fileKeys, jobKeys } from '../../shared/platform/redis/keys.ts';
import { testEnv } from '../harness/env.ts';
import { removeKeys } from '../harness/scan-keys.ts';
import { runTurnout } from '../harness/turnout-cli.ts';

jest.setTimeout(60_000);

const HOUR_MS = 3_600_000;
const KEPT_MS = 30 * 86_400_000;
const MINUTE_MS = 60_000;
const USER = 'ann';

let redis: Redis;
let folder: string;
let store: BlobStore;
const prefixes: string[] = [];

beforeAll(() => {
  redis = connectRedisWaiting(testEnv().REDIS_URL, 'blob-sweep-test', silentLogger);
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'turnout-blob-sweep-'));
  store = createDiskBlobStore(folder);
});
afterEach(async () => {
  for (const prefix of prefixes.splice(0)) await removeKeys(redis, `${prefix}:*`);
  await rm(folder, { recursive: true, force: true });
});
afterAll(() => redis.quit());

/** A new job Redis prefix, and a sweep of the shared store that uses its records. */
function registryOf() {
  const prefix = `t-sweep-${randomBytes(4).toString('hex')}`;
  prefixes.push(prefix);
  const keys = blobKeys(prefix);
  const removals = createRemovals(redis, keys);
  const state = createSweepState(redis, keys);
  const identity = createStoreIdentity({ redis, keys, blobs: store });
  const files = createFileRegistry({
    redis,
    keys: fileKeys(prefix),
    maxFilesPerUser: 1_000,
    graceMs: MINUTE_MS,
  });
  const jobLog = createJobLog({ redis, keys: jobKeys(prefix), retentionMs: MINUTE_MS });
  const kinds = sweptKinds({ files, jobLog }, KEPT_MS);
  const errors: string[] = [];
  const log = {
    ...silentLogger,
    warn: () => undefined,
    error: (_: object, text: string) => errors.push(text),
  };
  let now = Date.now();
  const sweep = createBlobSweep({
    blobs: store,
    removals,
    identity,
    state,
    kinds,
    closing: () => false,
    now: () => now,
    log: log as unknown as Logger,
  });

  async function upload(recorded = true): Promise<string> {
    const id = newFileId(USER, Date.now());
    const content = await store.put(contentName(id), 'text');
    const about = {
      filename: 'a.txt',
      purpose: 'user_data',
      format: 'text',
      mediaType: 'text/plain',
    } as const;
    const file: NewFile = { id, owner: USER, ...about, createdAt: Date.now(), expiresAt: undefined, content };
    if (recorded) await files.create(file);
    return id;
  }
  return {
    prefix,
    keys,
    removals,
    state,
    identity,
    files,
    errors,
    upload,
    sweep: () => sweep.sweep(),
    /** Advances the sweep's clock. */
    pass: (ms: number) => (now += ms),
    loseRecord: (id: string) => redis.del(fileKeys(prefix).record(id)),
    flush: () => removeKeys(redis, `${prefix}:*`),
  };
}

async function foldersOf(kind: string): Promise<string[]> {
  return (await readdir(join(folder, kind)).catch(() => [])).sort();
}

describe('a sweep in an unknown state removes nothing', () => {
  test('an emptied job Redis stops the sweep with an error until an operator adopts the registry', async () => {
    const registry = registryOf();
    await registry.sweep();
    for (let i = 0; i < 50; i += 1) await registry.upload();
    await registry.flush();
    registry.pass(10 * GRACE_MS);
    expect(await registry.sweep()).toMatchObject({ reason: 'registry_empty' });
    expect(await foldersOf('files')).toHaveLength(50);
    expect(registry.errors).toEqual([expect.stringMatching(/^Sweep stopped: /)]);
    expect(await registry.state.stopped()).toMatchObject({ reason: 'registry_empty' });

    await registry.identity.adopt(0);
    expect(await registry.sweep()).toMatchObject({ reason: 'large_share', looked: 50, unknown: 50 });
    expect(await foldersOf('files')).toHaveLength(50);
  });

  test('another prefix in the job Redis stops it', async () => {
    const [first, second] = [registryOf(), registryOf()];
    await first.sweep();
    for (let i = 0; i < 5; i += 1) await first.upload();
    second.pass(10 * GRACE_MS);
    expect(await second.sweep()).toMatchObject({ reason: 'registry_empty' });
    await second.identity.adopt(0);
    expect(await first.sweep()).toMatchObject({ reason: 'other_identity' });
    expect(await foldersOf('files')).toHaveLength(5);
  });

  test('a registry without an identity that knows none of the store’s files does not take the store over', async () => {
    const [first, second] = [registryOf(), registryOf()];
    for (let i = 0; i < 5; i += 1) await first.upload();
    second.pass(10 * GRACE_MS);
    expect(await second.sweep()).toMatchObject({ reason: 'registry_unproven' });
    expect(await second.sweep()).toMatchObject({ reason: 'registry_unproven' });
    expect(await foldersOf('files')).toHaveLength(5);
    // The registry that knows the files takes the store over without an operator, as in an upgrade from a release without identities.
    expect(await first.sweep()).toBeUndefined();
  });

  test('another blob store, an older copy of the job Redis, or a registry younger than the folders stops it', async () => {
    const registry = registryOf();
    await registry.sweep();
    await store.removeFolder('identity');
    expect(await registry.sweep()).toMatchObject({ reason: 'store_empty' });

    await registry.identity.adopt(0);
    await registry.sweep();
    await redis.hset(registry.keys.registry(), 'round', 0);
    expect(await registry.sweep()).toMatchObject({ reason: 'registry_rolled_back' });

    await registry.upload(false);
    await registry.identity.adopt(Date.now() + MINUTE_MS);
    registry.pass(2 * HOUR_MS);
    expect(await registry.sweep()).toMatchObject({ reason: 'registry_younger' });
  });

  test('a large share of missing records stops it; an operator may allow the removal', async () => {
    const registry = registryOf();
    await registry.sweep();
    const ids: string[] = [];
    for (let i = 0; i < 40; i += 1) ids.push(await registry.upload());
    for (const id of ids.slice(0, 21)) await registry.loseRecord(id);
    registry.pass(2 * HOUR_MS);
    expect(await registry.sweep()).toMatchObject({
      reason: 'large_share',
      kind: 'files',
      looked: 40,
      unknown: 21,
    });
    registry.pass(10 * GRACE_MS);
    expect(await registry.sweep()).toMatchObject({ reason: 'large_share' });
    expect(await foldersOf('files')).toHaveLength(40);

    await registry.state.allowUntil(Date.now() + 100 * GRACE_MS);
    expect(await registry.sweep()).toBeUndefined();
    expect(await registry.state.stopped()).toBeUndefined();
    registry.pass(GRACE_MS + 1);
    await registry.sweep();
    expect(await foldersOf('files')).toEqual(ids.slice(21).sort());
  });

  test('folders with names that Turnout does not create are kept', async () => {
    const registry = registryOf();
    await registry.sweep();
    await store.put('files/holiday-pictures/a', 'text');
    for (let day = 0; day < 4; day += 1) {
      registry.pass(GRACE_MS);
      await registry.sweep();
    }
    expect(await foldersOf('files')).toEqual(['holiday-pictures']);
  });
});

describe('bin/turnout blobs', () => {
  test('shows why the sweep stopped, adopts the registry, and allows a large removal', async () => {
    const registry = registryOf();
    await registry.sweep();
    for (let i = 0; i < 30; i += 1) await registry.upload();
    await registry.flush();
    registry.pass(2 * HOUR_MS);
    const turnout = async (...args: string[]) => {
      const run = await runTurnout(registry.prefix, args, { env: { BLOB_DIR: folder } });
      expect(run).toMatchObject({ code: 0, err: '' });
      return run.out.trim();
    };

    await registry.sweep();
    expect(await turnout('blobs', 'status')).toContain('(registry_empty)');
    await turnout('blobs', 'adopt');
    expect(await turnout('blobs', 'status')).toBe('The job Redis and the blob store belong together.');
    await registry.sweep();
    expect(await turnout('blobs', 'status')).toContain('30 of 30 folders of files have no record.');
    await turnout('blobs', 'allow', '--hours', '3');
    expect(await registry.sweep()).toBeUndefined();
    expect(await turnout('blobs', 'status')).toContain('Sweeps may remove a large share until');
  });
});

describe('the sweep removes', () => {
  test('an upload without a record after a grace period, but not one whose record comes back', async () => {
    const registry = registryOf();
    await registry.sweep();
    const [kept, orphan, back] = [
      await registry.upload(),
      await registry.upload(false),
      await registry.upload(),
    ];
    const key = fileKeys(registry.prefix).record(back);
    await redis.rename(key, `${key}:away`);
    await registry.sweep();
    registry.pass(2 * HOUR_MS);
    await registry.sweep(); // plans the removals
    expect(await registry.removals.planned('files', [kept, orphan, back])).toEqual([false, true, true]);
    await redis.rename(`${key}:away`, key);
    registry.pass(GRACE_MS - 1_000);
    await registry.sweep();
    expect(await foldersOf('files')).toHaveLength(3);
    registry.pass(2_000);
    await registry.sweep();
    expect(await foldersOf('files')).toEqual([kept, back].sort());
    expect(await registry.removals.planned('files', [kept, orphan, back])).toEqual([false, false, false]);
  });

  test('any number of files that a user deleted, without an operator, once their records are gone', async () => {
    const registry = registryOf();
    await registry.sweep();
    const ids: string[] = [];
    for (let i = 0; i < 30; i += 1) ids.push(await registry.upload());
    for (const id of ids) await registry.files.remove(USER, id);
    registry.pass(2 * MINUTE_MS);
    await registry.sweep(); // the records still exist: checked again an hour later
    expect(await foldersOf('files')).toHaveLength(30);
    for (const id of ids) await registry.loseRecord(id);
    registry.pass(2 * HOUR_MS);
    expect(await registry.sweep()).toBeUndefined();
    expect(await foldersOf('files')).toEqual([]);
  });

  test('the bodies of jobs a day after they were written, and stored logs after their retention, however many at once', async () => {
    const registry = registryOf();
    await registry.sweep();
    const blobs = withPlannedRemovals(store, registry.removals);
    for (let i = 0; i < 30; i += 1) {
      const id = newJobId('secret', USER);
      await blobs.put(`jobs/${id}/request`, 'text');
      await blobs.put(`kept/${id}/log`, 'text');
    }
    registry.pass(23 * HOUR_MS);
    await registry.sweep();
    expect(await foldersOf('jobs')).toHaveLength(30);
    registry.pass(2 * HOUR_MS);
    expect(await registry.sweep()).toBeUndefined();
    expect(await foldersOf('jobs')).toEqual([]);
    expect(await foldersOf('kept')).toHaveLength(30);
    registry.pass(KEPT_MS);
    expect(await registry.sweep()).toBeUndefined();
    expect(await foldersOf('kept')).toEqual([]);
  });

  test('other folders even if one cannot be removed', async () => {
    const registry = registryOf();
    await registry.sweep();
    const blobs = withPlannedRemovals(store, registry.removals);
    const ids = Array.from({ length: 4 }, () => newJobId('secret', USER));
    for (const id of ids) await blobs.put(`kept/${id}/log`, 'text');
    const stubborn = createDiskBlobStore(folder);
    store.removeFolder = (name) =>
      name === `kept/${ids[0] ?? ''}` ? Promise.reject(new Error('not ours')) : stubborn.removeFolder(name);
    registry.pass(KEPT_MS + HOUR_MS);
    await expect(registry.sweep()).rejects.toThrow('not ours');
    expect(await foldersOf('kept')).toEqual([ids[0]]);
  });
});
