import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { createDiskBlobStore } from '../../shared/blobs/disk-blob-store.ts';
import { type JobView } from '../../shared/joblog/job-log.ts';
import { silentLogger } from '../../shared/log/logger.ts';
import { createBlobSweep } from './blob-sweep.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'turnout-blob-sweep-'));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

const view: JobView = {
  state: 'completed',
  owner: 'user-1',
  lastSequence: 5,
  deadlineAt: 0,
  createdAt: 0,
  userHash: '',
  model: '',
  entries: [],
};
/** A log that knows one job. */
const jobLog = { read: (jobId: string) => Promise.resolve(jobId === 'job_known' ? view : undefined) };

async function put() {
  const blobs = createDiskBlobStore(folder);
  for (const name of [
    'jobs/job_known/request',
    'jobs/job_gone/request',
    'jobs/job_gone/document-0',
    'files/a',
  ])
    await blobs.put(name, 'text');
  return blobs;
}

const jobs = async () => (await readdir(join(folder, 'jobs'))).sort();

test('the bodies of a job go when its record has gone, and no others', async () => {
  await createBlobSweep({
    blobs: await put(),
    jobLog,
    log: silentLogger,
    keptMs: 60_000,
    spareMs: 0,
  }).sweep();
  expect(await jobs()).toEqual(['job_known']);
  expect(await readdir(join(folder, 'files'))).toEqual(['a']);
});

test('bodies that were put lately stay, whoever knows of them', async () => {
  await createBlobSweep({
    blobs: await put(),
    jobLog,
    log: silentLogger,
    keptMs: 60_000,
    spareMs: 60_000,
  }).sweep();
  expect(await jobs()).toEqual(['job_gone', 'job_known']);
});

test('where nothing was ever put there is nothing to do', async () => {
  const sweep = createBlobSweep({
    blobs: createDiskBlobStore(folder),
    jobLog,
    log: silentLogger,
    keptMs: 60_000,
    spareMs: 0,
  });
  await expect(sweep.sweep()).resolves.toBeUndefined();
});

test('a folder that cannot be removed keeps no other one, and no answer past its time', async () => {
  const blobs = await put();
  await blobs.put('jobs/job_stuck/request', 'text');
  await blobs.put('kept/job_old/log', 'text');
  const removeFolder = (name: string) =>
    name === 'jobs/job_stuck' ? Promise.reject(new Error('not ours')) : blobs.removeFolder(name);
  // The stuck one comes first.
  const staleFolders = async (prefix: string, ageMs: number) =>
    (await blobs.staleFolders(prefix, ageMs)).sort(
      (a, b) => Number(b.includes('stuck')) - Number(a.includes('stuck')),
    );
  const stubborn = { ...blobs, removeFolder, staleFolders };
  const sweep = createBlobSweep({ blobs: stubborn, jobLog, log: silentLogger, keptMs: 0, spareMs: 0 });
  await expect(sweep.sweep()).rejects.toThrow('not ours');
  expect(await jobs()).toEqual(['job_known', 'job_stuck']);
  expect(await readdir(join(folder, 'kept'))).toEqual([]);
});
