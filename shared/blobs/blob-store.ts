import { type BlobRef } from '../contracts/job-message.ts';
import { TurnoutError } from '../errors/turnout-error.ts';

/**
 * Bodies that are too large for a message ("claim check"). What `put` acknowledged is durable, and `get` never returns
 * bytes other than those that were put. Failures are `TurnoutError`s: `unreadable_message` (missing, damaged or badly
 * named: no retry helps) or `store_unavailable` (the store itself failed: a retry may help).
 */
export interface BlobStore {
  /** Writes the body whole, replacing one of the same name. Text is stored as UTF-8. */
  put(name: string, body: Uint8Array | string): Promise<BlobRef>;
  /** Reads the body and verifies its length and SHA-256. Rejects with the signal's reason when aborted. */
  get(ref: BlobRef, signal?: AbortSignal): Promise<Buffer>;
  /** What was last put under that name, for one who has no reference to check it against; undefined where nothing is. */
  load(name: string): Promise<Buffer | undefined>;
  /** Removes everything under `prefix/`. It is no error when there is nothing. */
  removeFolder(prefix: string): Promise<void>;
  /** Names of the folders directly below `prefix/` in which nothing was put for that many milliseconds. */
  staleFolders(prefix: string, ageMs: number): Promise<string[]>;
}

const SEGMENT = '[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}';
const NAME = new RegExp(`^${SEGMENT}(/${SEGMENT}){0,7}$`);

/**
 * The name, if it is one: segments of `A-Z a-z 0-9 . _ -` joined by `/`. No segment starts with a dot, so neither `..`
 * nor a store's own temporary names can be spelled. Throws `unreadable_message`: names come out of messages.
 */
export function checkedBlobName(name: string): string {
  if (NAME.test(name)) return name;
  throw new TurnoutError('unreadable_message', {
    message: 'A stored body has a name that is not allowed.',
    cause: new Error(`not a blob name: ${JSON.stringify(name.slice(0, 200))}`),
  });
}

export function missingBlob(ref: BlobRef, cause?: unknown): TurnoutError {
  return new TurnoutError('unreadable_message', {
    message: 'A stored body is missing.',
    cause: new Error(`no blob ${ref.name}`, { cause }),
  });
}

export function damagedBlob(ref: BlobRef, what: string): TurnoutError {
  return new TurnoutError('unreadable_message', {
    message: 'A stored body is damaged.',
    cause: new Error(`blob ${ref.name}: ${what}`),
  });
}

export function blobStoreFailed(doing: string, cause: unknown): TurnoutError {
  return new TurnoutError('store_unavailable', {
    message: 'The store of large bodies is unavailable. Try again.',
    cause: new Error(doing, { cause }),
  });
}
