import { type Readable } from 'node:stream';
import { type BlobRef } from './blob-ref.ts';
import { TurnoutError } from '../errors/turnout-error.ts';

/**
 * Holds bodies that are too large for a message ("claim check"), and users' files.
 *
 * Durable: a body that `put` or `putStream` acknowledged survives a crash of the process and of the store's machine. The disk
 * store syncs the file and its folders; S3 acknowledges only what it has stored.
 * Atomic: a reader gets the old body, the new body or none, never a part, even during a write or after a writer crashed. The
 * last of concurrent puts wins.
 * Consistent: a read after an acknowledgement sees the new body. S3 guarantees this since December 2020; a compatible store must
 * guarantee it too.
 *
 * `get` and `openStream` return exactly the bytes that were put, or fail. Failures are `TurnoutError`s: `unreadable_message`
 * (missing, damaged or badly named; a retry does not help) or `store_unavailable` (the store failed; a retry may help).
 */
export interface BlobStore {
  /** Writes a body and replaces one of the same name. Text is stored as UTF-8. */
  put(name: string, body: Uint8Array | string): Promise<BlobRef>;
  /**
   * Writes a body as it arrives, in constant memory. Stores nothing if the source fails (rejects with the source's error) or
   * exceeds `maxBytes` (rejects with `body_too_large`).
   */
  putStream(name: string, body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<BlobRef>;
  /** Reads the body and verifies its length and SHA-256. Rejects with the signal's reason when aborted. */
  get(ref: BlobRef, signal?: AbortSignal): Promise<Buffer>;
  /**
   * Reads a body of any size in chunks. Rejects at once if the body is missing or has the wrong length. If the bytes are
   * damaged, the stream fails instead of ending.
   */
  openStream(ref: BlobRef): Promise<Readable>;
  /** Reads the body last put under the name, unverified, for callers without a reference; undefined if there is none. */
  load(name: string): Promise<Buffer | undefined>;
  /** Removes everything under `prefix/`. Succeeds if there is nothing. */
  removeFolder(prefix: string): Promise<void>;
  /**
   * Returns one page of the folders directly below `prefix/`: at most `limit` of them, in a stable order, starting after the
   * folder named `after`. Memory is bounded by `limit`, not by the size of the store. A page that is not full is the last one.
   */
  listFolders(prefix: string, page: FolderPage): Promise<BlobFolder[]>;
}

export interface FolderPage {
  /** Name of the last folder on the previous page. */
  after?: string | undefined;
  limit: number;
}

export interface BlobFolder {
  /** Without the prefix. */
  name: string;
  /** When a body in the folder was last written, by the store's clock; milliseconds since the epoch. */
  changedAt: number;
}

const SEGMENT = '[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}';
const NAME = new RegExp(`^${SEGMENT}(/${SEGMENT}){0,7}$`);

/**
 * Returns the name if it is valid: segments of `A-Z a-z 0-9 . _ -` joined by `/`. No segment starts with a dot, so a name can
 * contain neither `..` nor a store's temporary names. Throws `unreadable_message`, because names come from messages.
 */
export function checkedBlobName(name: string): string {
  if (NAME.test(name)) return name;
  throw new TurnoutError('unreadable_message', {
    message: 'A stored object has an invalid name.',
    cause: new Error(`Invalid blob name: ${JSON.stringify(name.slice(0, 200))}`),
  });
}

export function missingBlob(ref: BlobRef, cause?: unknown): TurnoutError {
  return new TurnoutError('unreadable_message', {
    message: 'A stored object is missing.',
    cause: new Error(`Blob ${ref.name} does not exist`, { cause }),
  });
}

export function damagedBlob(ref: BlobRef, what: string): TurnoutError {
  return new TurnoutError('unreadable_message', {
    message: 'A stored object is damaged.',
    cause: new Error(`Blob ${ref.name} ${what}`),
  });
}

export function blobStoreFailed(doing: string, cause: unknown): TurnoutError {
  return new TurnoutError('store_unavailable', {
    message: 'The blob store is unavailable. Try again.',
    cause: new Error(`Blob store failed while ${doing}`, { cause }),
  });
}
