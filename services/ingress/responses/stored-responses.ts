import { type BlobStore } from '../../../shared/blobs/blob-store.ts';
import { type JobEvent } from '../../../shared/contracts/job-event.ts';
import { TurnoutError } from '../../../shared/errors/turnout-error.ts';
import { isOpen, type JobLog } from '../../../shared/joblog/job-log.ts';
import { type KeptJobs } from '../../../shared/joblog/kept-jobs.ts';
import { type Originals } from '../../../shared/joblog/originals.ts';
import { jobIdOfResponse, responseIdOf } from '../../../shared/responses/response-id.ts';
import { storedItem, type StoredItem } from './input-items.ts';
import { readOriginal, type ResponseOriginal } from './original.ts';
import { type ResponseHead } from './response-body.ts';
import { projectResponse, type ResponseProjection } from './response-events.ts';

/** A response that somebody asks for: first its job's log in the job Redis, and when that has gone, the copy that was kept. */
export interface StoredResponse extends Pick<ResponseOriginal, 'context' | 'input'> {
  jobId: string;
  head: ResponseHead;
  /** Its job's log by now. */
  events: JobEvent[];
  /** Milliseconds since the epoch; undefined where the log has gone: then there is nothing to follow. */
  deadlineAt: number | undefined;
  /** It has not ended. */
  open: boolean;
}

export interface StoredResponses {
  /** Throws `not_found`, also for another user's; `store_unavailable`. */
  find(responseId: string, user: string): Promise<StoredResponse>;
  /** Makes an ended response unreadable, and removes all that is kept of it. */
  remove(jobId: string): Promise<void>;
}

interface StoredResponsesOptions {
  jobLog: Pick<JobLog, 'read' | 'delete'>;
  kept: Pick<KeptJobs, 'find' | 'remove'>;
  originals: Pick<Originals, 'load'>;
  blobs: Pick<BlobStore, 'removeFolder'>;
  /** How long a response is kept past its end; milliseconds. */
  retentionMs: number;
}

const RETRY_AFTER_S = 2;

export function createStoredResponses(options: StoredResponsesOptions): StoredResponses {
  const { jobLog, kept, originals, blobs, retentionMs } = options;

  async function findLive(jobId: string): Promise<Found | undefined> {
    const view = await jobLog.read(jobId, 0);
    if (!view || view.state === 'refused') return undefined;
    const original = await originals.load(jobId);
    if (original === undefined) return undefined;
    const { owner, createdAt, deadlineAt, state } = view;
    const events = view.entries.map(({ event }) => event);
    return { owner, createdAt, original, events, deadlineAt, open: isOpen(state) };
  }

  async function findKept(jobId: string): Promise<Found | undefined> {
    const found = await kept.find(jobId);
    const end = found?.events.at(-1);
    const endedAt = end && 'at' in end ? (end.at ?? 0) : 0;
    // The sweep comes a little later.
    if (!found || endedAt + retentionMs < Date.now()) return undefined;
    return { ...found, deadlineAt: undefined, open: false };
  }

  return {
    find: async (responseId, user) => {
      const jobId = jobIdOfResponse(responseId);
      if (jobId === undefined) throw notFound(responseId);
      const found = await storing(async () => (await findLive(jobId)) ?? (await findKept(jobId)));
      const original = found?.owner === user ? readOriginal(found.original) : undefined;
      if (!found || !original) throw notFound(responseId);
      const { createdAt, events, deadlineAt, open } = found;
      const { context, input, request } = original;
      const head = responseHead(jobId, createdAt, request);
      return { jobId, head, events, deadlineAt, open, context, input };
    },
    remove: (jobId) =>
      storing(async () => {
        // In this order: whoever is just copying it finds it deleted afterwards, and removes his copy.
        await jobLog.delete(jobId);
        await kept.remove(jobId);
        await blobs.removeFolder(`jobs/${jobId}`);
      }),
  };
}

interface Found {
  owner: string;
  createdAt: number;
  original: string;
  events: JobEvent[];
  deadlineAt: number | undefined;
  open: boolean;
}

/** `createdAt` in milliseconds since the epoch. */
export function responseHead(
  jobId: string,
  createdAt: number,
  request: ResponseHead['request'],
): ResponseHead {
  return { id: responseIdOf(jobId), createdAt: Math.floor(createdAt / 1_000), request };
}

/** The response as its log makes it by now. */
export function projectStored({ head, events }: StoredResponse): ResponseProjection {
  const projection = projectResponse(head);
  for (const event of events) projection.take(event);
  return projection;
}

/** What the model said and did, as items that another request can go on from. */
export function outputItems(response: StoredResponse): StoredItem[] {
  return projectStored(response)
    .body()
    .output.map((item) => storedItem.parse(item));
}

export function notFound(responseId: string): TurnoutError {
  return new TurnoutError('not_found', {
    message: `Response with id '${responseId.slice(0, 100)}' not found.`,
  });
}

async function storing<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof TurnoutError) throw error;
    throw new TurnoutError('store_unavailable', { cause: error, retryAfterS: RETRY_AFTER_S });
  }
}
