import { type Readable } from 'node:stream';
import { type BlobRef } from './blob-ref.ts';
import { TurnoutError } from '../errors/turnout-error.ts';

/**
 * Bodies that are too large for a message ("claim check"), and users' files.
 *
 * Durable: what `put` or `putStream` acknowledged survives a crash of the process and of the store's machine (the disk
 * syncs the file and its folders; S3 acknowledges what it has stored). Atomic: a reader finds the old body, the new one or
 * none, never a part, also while it is being written and after a writer died. The last of concurrent puts wins. Whoever
 * reads after an acknowledgement finds what was put (S3 has promised that since December 2020; a compatible store must,
 * too).
 *
 * `get` and `openStream` never give other bytes than those that were put. Failures are `TurnoutError`s:
 * `unreadable_message` (missing, damaged or badly named: no retry helps) or `store_unavailable` (the store itself failed: a
 * retry may help).
 */
export interface BlobStore {
  /** Writes the body whole, replacing one of the same name. Text is stored as UTF-8. */
  put(name: string, body: Uint8Array | string): Promise<BlobRef>;
  /**
   * Writes a body as it arrives, in memory that does not grow with it. Nothing is stored when it ends in an error, which
   * is passed on as it is, or has more than `maxBytes`: `body_too_large`.
   */
  putStream(name: string, body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<BlobRef>;
  /** Reads the body and verifies its length and SHA-256. Rejects with the signal's reason when aborted. */
  get(ref: BlobRef, signal?: AbortSignal): Promise<Buffer>;
  /**
   * Reads a body of any size piece by piece. What is missing or has another length rejects at once; damage is found before
   * the stream's end, which then is an error instead.
   */
  openStream(ref: BlobRef): Promise<Readable>;
  /** What was last put under that name, for one who has no reference to check it against; undefined where nothing is. */
  load(name: string): Promise<Buffer | undefined>;
  /** Removes everything under `prefix/`. It is no error when there is nothing. */
  removeFolder(prefix: string): Promise<void>;
  /**
   * One page of the folders directly below `prefix/`: at most `limit` of them, in an order that does not change, those
   * behind the folder named `after`. Memory is bounded by `limit`, whatever the store holds. A page that is not full is
   * the last one.
   */
  listFolders(prefix: string, page: FolderPage): Promise<BlobFolder[]>;
}

export interface FolderPage {
  /** The name of the last folder of the page before. */
  after?: string | undefined;
  limit: number;
}

export interface BlobFolder {
  /** Without the prefix. */
  name: string;
  /** When a body was last put below it, by the store's clock; milliseconds since the epoch. */
  changedAt: number;
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
