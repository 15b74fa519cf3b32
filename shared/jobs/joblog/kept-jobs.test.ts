import { expect, test } from '@jest/globals';
import { type JobView } from './job-log.ts';
import { createKeptJobs, jsonPieces } from './kept-jobs.ts';

const JOB = `job_${'0'.repeat(32)}`;

const view: JobView = {
  state: 'completed',
  owner: 'user-1',
  lastSequence: 1,
  deadlineAt: 2,
  createdAt: 1,
  userHash: '',
  model: 'm',
  entries: [{ sequence: 1, event: { type: 'completed', at: 2 } }],
};

/** One ended job. `delete` makes it unreadable, as `delete.lua` does. */
function world() {
  const stored = new Map<string, Buffer>();
  const counted = new Set<string>();
  let [deleted, dies] = [false, false];
  const kept = createKeptJobs({
    blobs: {
      put: (name, body) => {
        stored.set(name, Buffer.from(body));
        return Promise.resolve({ kind: 'blob', name, sha256: '', bytes: body.length });
      },
      load: (name) => Promise.resolve(stored.get(name)),
      removeFolder: (folder) => {
        for (const name of stored.keys()) if (name.startsWith(`${folder}/`)) stored.delete(name);
        return Promise.resolve();
      },
    },
    jobLog: {
      read: () => Promise.resolve(deleted ? undefined : view),
      bodyHash: () => Promise.resolve('h'),
      original: () => Promise.resolve(deleted ? undefined : '{}'),
      ownerOfDeleted: () =>
        dies
          ? Promise.reject(new Error('the process dies'))
          : Promise.resolve(deleted ? 'user-1' : undefined),
    },
    storage: {
      count: ({ jobId }) => Promise.resolve(void counted.add(jobId)),
      forget: (_user, jobId) => Promise.resolve(void counted.delete(jobId)),
    },
    retentionMs: 60_000,
  });
  return { kept, counted, delete: () => (deleted = true), die: (now: boolean) => (dies = now) };
}

test('a copy that a dying process left behind does not restore a deleted job', async () => {
  const { kept, counted, ...job } = world();
  await kept.remove(JOB, 'user-1'); // the deletion runs before the copy
  job.die(true);
  await expect(kept.keep(JOB)).rejects.toThrow('dies');
  job.delete();
  job.die(false);
  await kept.keep(JOB); // the outbox row is still there
  expect(await kept.find(JOB)).toBeUndefined();
  expect(counted.size).toBe(0);
});

test('a deleted job is not found, even before the copying process has removed its copy', async () => {
  const { kept, ...job } = world();
  await kept.keep(JOB);
  job.delete();
  expect(await kept.find(JOB)).toBeUndefined();
});

test('keeping a job twice is safe', async () => {
  const { kept } = world();
  await kept.keep(JOB);
  await kept.keep(JOB);
  expect(await kept.find(JOB)).toMatchObject({ owner: 'user-1', events: [{ type: 'completed' }] });
});
const events = (count: number) =>
  Array.from({ length: count }, (_, at) => ({ type: 'text' as const, choice: 0, delta: `${at}, "quoted"` }));
const keptOf = (original: string, count: number) => ({
  version: 1 as const,
  owner: 'ada',
  createdAt: 1,
  bodyHash: '',
  original,
  events: events(count),
});

test.each([
  ['nothing', '', 0],
  ['a few words', 'a "question"', 3],
  ['a request of 16 million quotation marks', '"'.repeat(16_000_000), 1],
  ['surrogate pairs that are split', `x${'\u{1F6E4}'.repeat(400_000)}`, 2_500],
])('a job is written in bounded pieces of JSON and parses to the same job: %s', (_what, original, count) => {
  const kept = keptOf(original, count);
  const pieces = [...jsonPieces(kept)];
  expect(JSON.parse(pieces.join(''))).toEqual(kept);
  expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThan(2_000_000);
});
