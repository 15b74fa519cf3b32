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
 * Stored answers: the logs of ended jobs, kept for longer than the hour in the job Redis. Each job's whole log is one gzipped body in the
 * blob store, so every view that is computed from the log works for stored answers too.
 */
export interface KeptJobs {
  /** Copies the ended job's log and original request. Makes no copy of a job that is gone or was deleted. */
  keep(jobId: string): Promise<void>;
  /** Undefined for a job that was not kept, has expired or was deleted. Throws `store_unavailable`. */
  find(jobId: string): Promise<KeptJob | undefined>;
  remove(jobId: string, owner: string): Promise<void>;
}

const keptJob = z.object({
  version: ofMajor(1),
  owner: z.string().min(1),
  /** Milliseconds since the epoch. */
  createdAt: z.int(),
  /** See `NewJob`. A request with the same idempotency key must have the same hash. */
  bodyHash: z.string(),
  /** See `NewJob.original`. */
  original: z.string(),
  /** In order; the first event has sequence 1. */
  events: z.array(jobEvent),
});
export interface KeptJob extends z.infer<typeof keptJob> {
  events: JobEvent[];
}

export interface CountedAnswer {
  user: string;
  jobId: string;
  bytes: number;
  /** When it stops counting; milliseconds since the epoch. */
  until: number;
}

/** Counts stored answers towards their users' quotas. */
export interface AnswerCount {
  /** Call it when the copy is stored. */
  count(answer: CountedAnswer): Promise<void>;
  /** Call it when the copy is removed. */
  forget(user: string, jobId: string): Promise<void>;
}

interface KeptJobsOptions {
  blobs: Pick<BlobStore, 'put' | 'load' | 'removeFolder'>;
  jobLog: Pick<JobLog, 'read' | 'original' | 'bodyHash' | 'ownerOfDeleted'>;
  /** Counts the stored bytes of each user. */
  storage: AnswerCount;
  /** How long a job is kept after its end; milliseconds. */
  retentionMs: number;
}

/** The blob store's folder of kept jobs, with one folder for each job. */
const KEPT_FOLDER = 'kept';

/** Characters, or events, per piece of JSON: a few milliseconds of work. */
const PIECE = { characters: 256 * 1_024, events: 1_000 };

/**
 * `JSON.stringify` in pieces: an original of 32 MB as a whole would block the event loop for hundreds of milliseconds. A surrogate pair
 * that is split between two pieces becomes two escapes, which `JSON.parse` joins again.
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

/** The event loop runs between two pieces; zlib compresses in a thread. */
function gzipped(pieces: Iterable<string>): Promise<Buffer> {
  return buffer(Readable.from(pieces).pipe(createGzip()));
}

const gunzip = promisify(gunzipCallback);

export function createKeptJobs({ blobs, jobLog, storage, retentionMs }: KeptJobsOptions): KeptJobs {
  const originals = createOriginals({ blobs, jobLog });
  const folderOf = (jobId: string) => `${KEPT_FOLDER}/${jobId}`;

  async function remove(jobId: string, owner: string): Promise<void> {
    // In this order: if the process dies in between, the answer still counts towards the quota until it expires.
    await blobs.removeFolder(folderOf(jobId));
    await storage.forget(owner, jobId);
  }

  /** Only reads the job's record: other completion hooks may still need the job's log. */
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
      // An earlier try may have died after it had stored its copy and before it checked for deletion.
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
      // The job may have been deleted while it was being copied.
      await removeIfDeleted(jobId);
    },
    find: async (jobId) => {
      const body = await blobs.load(`${folderOf(jobId)}/log`);
      // A copy may have been stored during the deletion and not be removed yet.
      if (!body || (await jobLog.ownerOfDeleted(jobId)) !== undefined) return undefined;
      return keptJob.parse(JSON.parse((await gunzip(body)).toString('utf8')));
    },
    remove,
  };
}

/** When the job ended; milliseconds since the epoch. */
export function endOf(events: readonly JobEvent[]): number {
  const end = events.at(-1);
  return end && 'at' in end ? (end.at ?? 0) : 0;
}
