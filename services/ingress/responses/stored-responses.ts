import { type JobEvent } from '../../../shared/contracts/job-event.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { jobIdOfResponse, responseIdOf } from '../../../shared/jobs/responses/response-id.ts';
import { turnOfUser } from '../http/authenticated.ts';
import { type BodyWork } from '../bodies/body-work.ts';
import { type StoredJob, type StoredJobs } from '../answers/stored-jobs.ts';
import { storedItem, type StoredItem } from '../response-schema/input-items.ts';
import { type ResponseOriginal } from '../response-schema/original.ts';
import { type ResponseHead } from './response-body.ts';
import { projectResponse, type ResponseProjection } from './response-events.ts';

/** A response that a client requests, whether it is in progress, has ended or was stored. */
export interface StoredResponse
  extends
    Pick<ResponseOriginal, 'context' | 'input'>,
    Pick<StoredJob, 'jobId' | 'events' | 'deadlineAt' | 'open'> {
  head: ResponseHead;
}

/** Throws `not_found`, including for another user's response, and `store_unavailable`. */
export type FindResponse = (responseId: string, user: string) => Promise<StoredResponse>;

export function createFindResponse(
  stored: Pick<StoredJobs, 'find'>,
  bodies: (turn: string) => Pick<BodyWork, 'readOriginal'>,
): FindResponse {
  return async (responseId, user) => {
    const jobId = jobIdOfResponse(responseId);
    const found = jobId === undefined ? undefined : await stored.find(jobId, user);
    const original = found && (await bodies(turnOfUser(user)).readOriginal(found.original));
    if (!original) throw notFound(responseId);
    const { context, input, request } = original;
    return { ...found, head: responseHead(found.jobId, found.createdAt, request), context, input };
  };
}

/** `createdAt` in milliseconds since the epoch. */
export function responseHead(
  jobId: string,
  createdAt: number,
  request: ResponseHead['request'],
): ResponseHead {
  return { id: responseIdOf(jobId), createdAt: Math.floor(createdAt / 1_000), request };
}

/** Projects the events that the response has so far. */
export function projectStored({
  head,
  events,
}: {
  head: ResponseHead;
  events: readonly JobEvent[];
}): ResponseProjection {
  const projection = projectResponse(head);
  for (const event of events) projection.take(event);
  return projection;
}

/** The model's output as items that another request can continue from. */
export function outputItems(response: StoredResponse): StoredItem[] {
  const { output } = projectStored(response).body();
  // Skips calls that were cut off before their name arrived.
  return output.flatMap((item) => storedItem.safeParse(item).data ?? []);
}

function notFound(responseId: string): TurnoutError {
  return new TurnoutError('not_found', {
    message: `Response with id '${responseId.slice(0, 100)}' not found.`,
  });
}
