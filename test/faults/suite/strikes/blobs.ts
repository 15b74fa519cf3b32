import { existsSync } from 'node:fs';
import { rename, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createDiskBlobStore } from '../../../../shared/platform/blobs/disk-blob-store.ts';
import { createStoreIdentity } from '../../../../shared/platform/blobs/store-identity.ts';
import { createSweepState } from '../../../../shared/platform/blobs/sweep-state.ts';
import { outcome } from '../../../../shared/contracts/outcome.ts';
import { createAnswerStorage } from '../../../../shared/content/files/answer-storage.ts';
import { createJobLog } from '../../../../shared/jobs/joblog/job-log.ts';
import { createKeptJobs } from '../../../../shared/jobs/joblog/kept-jobs.ts';
import { createKafka } from '../../../../shared/platform/kafka/kafkajs.ts';
import { silentLogger } from '../../../../shared/platform/log/logger.ts';
import { blobKeys, fileKeys, jobKeys } from '../../../../shared/platform/redis/keys.ts';
import { until } from '../../../../stack/until.ts';
import { removeKeys } from '../../../harness/scan-keys.ts';
import { type Ground, settingsOf } from '../ground.ts';
import { oneOfTwo, type Struck } from './strike.ts';

const STORED = 20;
const AWAY_MS = 6_000;
const WITHIN = { timeoutMs: 60_000, everyMs: 200 } as const;

/** The blob store is unavailable while stored responses end. None of them may fail, and their copies are written once it is back. */
export async function failingHook(ground: Ground): Promise<Struck> {
  const asked = Promise.all(Array.from({ length: STORED }, () => askStored(ground)));
  await withoutBlobs(ground.blobs, async () => {
    await asked;
    await delay(AWAY_MS);
  });
  const jobs = await asked;
  return { since: Date.now(), after: () => inspectStored(ground, jobs) };
}

/** Replaces the folder by a file, so that not even root can write below it. */
async function withoutBlobs(folder: string, work: () => Promise<void>): Promise<void> {
  await rename(folder, `${folder}-away`);
  await writeFile(folder, '');
  try {
    await work();
  } finally {
    await rm(folder);
    await rename(`${folder}-away`, folder);
  }
}

/** Creates a stored response and returns the id of its job. */
async function askStored(ground: Ground): Promise<string> {
  const response = await fetch(`${ground.ingresses[0]}/v1/responses`, {
    method: 'POST',
    headers: { ...authorization(ground), 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'turnout-sim', input: 'Who sets the signal? [[sim: tokens=20; tps=20]]' }),
  });
  const text = await response.text();
  const jobId = response.headers.get('x-turnout-job-id');
  if (!response.ok || jobId === null) throw new Error(`The ingress refused a stored response: ${text}`);
  return jobId;
}

async function inspectStored(ground: Ground, jobs: readonly string[]): Promise<string[]> {
  const { redis, services, blobs } = ground;
  const jobLog = createJobLog({ redis, keys: jobKeys(services.prefix), retentionMs: 1 });
  const storage = createAnswerStorage(redis, fileKeys(services.prefix));
  const kept = createKeptJobs({ blobs: createDiskBlobStore(blobs), jobLog, storage, retentionMs: 1 });
  const stored = async (jobId: string) => {
    const [copy, log] = await Promise.all([kept.find(jobId), ground.store.events(jobId)]);
    return copy !== undefined && JSON.stringify(copy.events) === JSON.stringify(log);
  };
  const missing = async () => {
    const found = await Promise.all(jobs.map(stored));
    return jobs.filter((_, at) => !found[at]);
  };
  await until(async () => (await missing()).length === 0, WITHIN);
  return [
    ...(await missing()).map((jobId) => `${jobId}: no copy of the stored response, or a wrong one`),
    ...(await notPublishedOnce(ground, jobs)),
  ];
}

async function notPublishedOnce({ kafkaProxy, topics }: Ground, jobs: readonly string[]): Promise<string[]> {
  const brokers = [`127.0.0.1:${kafkaProxy.port}`];
  const kafka = createKafka({ brokers, clientId: 'fault-suite', log: silentLogger });
  const counts = new Map(jobs.map((jobId) => [jobId, 0]));
  await kafka.readTopic({
    topic: topics.events,
    timeoutMs: WITHIN.timeoutMs,
    onBatch: ({ messages }) => {
      for (const { value } of messages) {
        const { jobId } = outcome.parse(JSON.parse(value ?? ''));
        const count = counts.get(jobId);
        if (count !== undefined) counts.set(jobId, count + 1);
      }
      return Promise.resolve();
    },
  });
  const wrong = [...counts].filter(([, count]) => count !== 1);
  return wrong.map(([jobId, count]) => `${jobId}: its outcome was published ${count} times`);
}

const FILES = 5;
/** Old enough for the sweep, which skips young files. */
const OLD_MS = 2 * 3_600_000;

/** Deletes the records of all files, with or without the registry's identity in the job Redis. Then an ingress starts and sweeps. */
export async function loseRegistry(ground: Ground, random: () => number): Promise<Struck> {
  const since = Date.now();
  const files = await Promise.all(Array.from({ length: FILES }, () => upload(ground)));
  const folders = files.map((id) => join(ground.blobs, 'files', id));
  const old = new Date(Date.now() - OLD_MS);
  await Promise.all(folders.map((folder) => utimes(folder, old, old)));
  await deleteRegistry(ground, { identity: random() < 0.5 });
  const instance = oneOfTwo('ingress', random);
  await ground.services.kill(instance);
  await ground.services.start('ingress', instance, settingsOf(instance));
  return { since, after: () => inspectSweep(ground, folders) };
}

async function upload(ground: Ground): Promise<string> {
  const form = new FormData();
  form.set('purpose', 'user_data');
  form.set('file', new File(['The line ends at the harbour.'], 'notes.txt', { type: 'text/plain' }));
  const [url, headers] = [`${ground.ingresses[0]}/v1/files`, authorization(ground)];
  const response = await fetch(url, { method: 'POST', headers, body: form });
  const { id } = (await response.json()) as { id?: string };
  if (id === undefined) throw new Error(`The ingress refused an upload with ${response.status}`);
  const isRead = async () => {
    const { status } = (await (await fetch(`${url}/${id}`, { headers })).json()) as { status?: string };
    return status !== undefined && status !== 'uploaded';
  };
  if (!(await until(isRead, WITHIN))) throw new Error(`${id} was not read within 60 s`);
  return id;
}

async function deleteRegistry(
  { redis, services: { prefix } }: Ground,
  { identity }: { identity: boolean },
): Promise<void> {
  for (const pattern of ['file*', 'removals:*']) await removeKeys(redis, `${prefix}:{b*}:${pattern}`);
  const keys = blobKeys(prefix);
  await redis.del(keys.sweepLease());
  if (identity) await redis.del(keys.registry());
}

/** Checks that the sweep stopped and removed nothing. Then, like an operator, removes the files and adopts the registry, so that it resumes. */
async function inspectSweep(ground: Ground, folders: readonly string[]): Promise<string[]> {
  const { redis, services, blobs } = ground;
  const keys = blobKeys(services.prefix);
  const state = createSweepState(redis, keys);
  const stopped = await until(async () => (await state.stopped()) !== undefined, WITHIN);
  const removed = folders.filter((folder) => !existsSync(folder)).length;
  const planned = await Promise.all(keys.allRemovals('files').map((key) => redis.zcard(key)));
  await Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true })));
  await createStoreIdentity({ redis, keys, blobs: createDiskBlobStore(blobs) }).adopt(Date.now());
  await state.setStopped(undefined);
  return [
    ...(stopped ? [] : ['the sweep did not stop although the registry lists no file']),
    ...(removed === 0 ? [] : [`the sweep removed ${removed} files whose records were lost`]),
    ...(planned.every((count) => count === 0)
      ? []
      : ['the sweep plans to remove files whose records were lost']),
  ];
}

function authorization({ extraKey }: Ground): Record<string, string> {
  return { authorization: `Bearer ${extraKey}` };
}
