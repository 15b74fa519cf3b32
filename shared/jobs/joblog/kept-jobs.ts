import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { createGzip, gunzip as gunzipCallback } from 'node:zlib';
import { z } from 'zod';
import { type BlobStore } from '../../platform/blobs/blob-store.ts';
import { jobEvent, type JobEvent, writtenEvent } from '../../contracts/job-event.ts';
import { ofMajor } from '../../contracts/tolerant.ts';
import { type JobLog } from './job-log.ts';
import { createOriginals } from './originals.ts';

/**
 * Ended jobs whose logs outlive the job Redis's hour: the whole log as it was, one gzipped body a job. Whatever was a
 * projection of the log stays one.
 */
export interface KeptJobs {
  /** Copies the ended job's log and original request. Does nothing for a job that is gone or was deleted. */
  keep(jobId: string): Promise<void>;
  /** Undefined where nothing was kept, or no longer, and for a deleted job. Throws `store_unavailable`. */
  find(jobId: string): Promise<KeptJob | undefined>;
  remove(jobId: string, owner: string): Promise<void>;
}

const keptJob = z.object({
  version: ofMajor(1),
  owner: z.string().min(1),
  /** Milliseconds since the epoch. */
  createdAt: z.int(),
  /** See `NewJob`: what a repetition under the same idempotency key is compared with. */
  bodyHash: z.string(),
  /** See `NewJob.original`. */
  original: z.string(),
  /** In order: the first one's sequence is 1. */
  events: z.array(jobEvent),
});
export interface KeptJob extends z.infer<typeof keptJob> {
  events: JobEvent[];
}

export interface CountedAnswer {
  user: string;
  jobId: string;
  bytes: number;
  /** When it is counted no longer; milliseconds since the epoch. */
  until: number;
}

/** What stored answers take of their users' quotas. */
export interface AnswerCount {
  /** Its copy is stored. */
  count(answer: CountedAnswer): Promise<void>;
  /** Its copy is removed. */
  forget(user: string, jobId: string): Promise<void>;
}

interface KeptJobsOptions {
  blobs: Pick<BlobStore, 'put' | 'load' | 'removeFolder'>;
  jobLog: Pick<JobLog, 'read' | 'original' | 'bodyHash' | 'ownerOfDeleted'>;
  /** Counts what is kept of each user. */
  storage: AnswerCount;
  /** How long a job is kept past its end; milliseconds. */
  retentionMs: number;
}

/** The blob store's folder of kept jobs: one folder a job. */
const KEPT_FOLDER = 'kept';

/** Characters, and events, of which one piece of JSON is made: a few milliseconds of work. */
const PIECE = { characters: 256 * 1_024, events: 1_000 };

/**
 * `JSON.stringify`, piece by piece: an original of 32 MB takes hundreds of milliseconds as a whole. A pair of surrogates that is
 * cut in two is written as two escapes, which are read as the pair again.
 */
export function* jsonPieces({ original, events, ...kept }: z.input<typeof keptJob>): Generator<string> {
  yield `${JSON.stringify(kept).slice(0, -1)},"original":"`;
  for (let at = 0; at < original.length; at += PIECE.characters)
    yield JSON.stringify(original.slice(at, at + PIECE.characters)).slice(1, -1);
  yield '","events":[';
  for (let at = 0; at < events.length; at += PIECE.events)
    yield (at === 0 ? '' : ',') + JSON.stringify(events.slice(at, at + PIECE.events)).slice(1, -1);
  yield ']}';
}

/** Between two pieces the event loop turns: compression is done in a thread. */
function gzipped(pieces: Iterable<string>): Promise<Buffer> {
  return buffer(Readable.from(pieces).pipe(createGzip()));
}

const gunzip = promisify(gunzipCallback);

export function createKeptJobs({ blobs, jobLog, storage, retentionMs }: KeptJobsOptions): KeptJobs {
  const originals = createOriginals({ blobs, jobLog });
  const folderOf = (jobId: string) => `${KEPT_FOLDER}/${jobId}`;

  async function remove(jobId: string, owner: string): Promise<void> {
    // In this order: a process that dies in between leaves the answer counted, until it expires.
    await blobs.removeFolder(folderOf(jobId));
    await storage.forget(owner, jobId);
  }

  /** It only asks: what else is owed for the job may need its log for longer than this copy took. */
  async function removeIfDeleted(jobId: string): Promise<void> {
    const owner = await jobLog.ownerOfDeleted(jobId);
    if (owner !== undefined) await remove(jobId, owner);
  }

  return {
    keep: async (jobId) => {
      const [view, original, bodyHash] = await Promise.all([
        jobLog.read(jobId, 0),
        originals.load(jobId),
        jobLog.bodyHash(jobId),
      ]);
      // A try before this one may have died between its copy and the question whether the job still stands.
      if (!view) return removeIfDeleted(jobId);
      if (original === undefined || bodyHash === undefined) return;
      const { owner, createdAt, entries } = view;
      const events = entries.map(({ event }) => writtenEvent(event));
      const kept = { version: 1, owner, createdAt, bodyHash, original, events } satisfies z.input<
        typeof keptJob
      >;
      const until = endOf(entries.map(({ event }) => event)) + retentionMs;
      const { bytes } = await blobs.put(`${folderOf(jobId)}/log`, await gzipped(jsonPieces(kept)));
      await storage.count({ user: owner, jobId, bytes, until });
      // It may have been deleted while it was being copied.
      await removeIfDeleted(jobId);
    },
    find: async (jobId) => {
      const body = await blobs.load(`${folderOf(jobId)}/log`);
      // Whoever was copying it while it was deleted has not asked yet.
      if (!body || (await jobLog.ownerOfDeleted(jobId)) !== undefined) return undefined;
      return keptJob.parse(JSON.parse((await gunzip(body)).toString('utf8')));
    },
    remove,
  };
}

/** Of an ended job; milliseconds since the epoch. */
export function endOf(events: readonly JobEvent[]): number {
  const end = events.at(-1);
  return end && 'at' in end ? (end.at ?? 0) : 0;
}
