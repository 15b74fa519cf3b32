import { randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, opendir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { type BlobRef } from './blob-ref.ts';
import { TurnoutError } from '../errors/turnout-error.ts';
import {
  type BlobFolder,
  type BlobStore,
  blobStoreFailed,
  checkedBlobName,
  damagedBlob,
  type FolderPage,
  missingBlob,
} from './blob-store.ts';
import { measuredStream, verifiedChunks } from './measured-stream.ts';

/** Small enough that hashing one piece (~1 ms) does not block the event loop noticeably. */
const PIECE_BYTES = 1024 * 1024;

/**
 * Stores blobs as files below one folder that all services of this machine share. Only the owner can read them: files have mode
 * 0600, folders 0700.
 */
export function createDiskBlobStore(folder: string): BlobStore {
  const root = resolve(folder);
  const pathOf = (name: string) => join(root, checkedBlobName(name));

  return {
    put: async (name, body) => {
      const path = pathOf(name);
      const measured = measuredStream(pieces(body), Infinity);
      await storing(`writing ${name}`, () => writeWhole(path, measured.chunks));
      return { kind: 'blob', name, ...measured.digest() };
    },
    putStream: async (name, body, maxBytes) => {
      const path = pathOf(name);
      const measured = measuredStream(body, maxBytes);
      try {
        await storing(`writing ${name}`, () => writeWhole(path, measured.chunks));
      } catch (error) {
        throw measured.failure() ?? error;
      }
      return { kind: 'blob', name, ...measured.digest() };
    },
    get: async (ref, signal) => {
      const path = pathOf(ref.name);
      signal?.throwIfAborted();
      const file = await openForReading(path, ref);
      try {
        return await readVerified(file, ref, signal);
      } finally {
        await file.close();
      }
    },
    openStream: async (ref) => {
      const file = await openForReading(pathOf(ref.name), ref);
      try {
        await checkSize(file, ref);
      } catch (error) {
        await file.close();
        throw error;
      }
      const stream = Readable.from(verifiedChunks(ref, readChunks(file, ref)), { objectMode: false });
      // Not in the generator's `finally`: if the stream is closed before the first read, the generator never starts.
      return stream.once('close', () => void file.close());
    },
    load: async (name) => {
      const path = pathOf(name);
      return storing(`reading ${name}`, () => unlessMissing(readFile(path)));
    },
    removeFolder: async (prefix) => {
      const path = pathOf(prefix);
      await storing(`removing ${prefix}`, () => rm(path, { recursive: true, force: true }));
    },
    listFolders: async (prefix, page) => {
      const path = pathOf(prefix);
      return storing(`listing ${prefix}`, () => pageOfFolders(path, page));
    },
  };
}

async function pageOfFolders(folder: string, page: FolderPage): Promise<BlobFolder[]> {
  const found: BlobFolder[] = [];
  for (const name of await firstNames(folder, page)) {
    const about = await unlessMissing(stat(join(folder, name)));
    if (about) found.push({ name, changedAt: Math.floor(about.mtimeMs) });
  }
  return found;
}

/** File systems list names in no order. One pass keeps only the first `limit` names after `after`. */
async function firstNames(folder: string, { after = '', limit }: FolderPage): Promise<string[]> {
  const entries = await unlessMissing(opendir(folder, { bufferSize: 1_024 }));
  let names: string[] = [];
  const keepFirst = () => (names = names.sort(byCodeUnits).slice(0, limit));
  for await (const entry of entries ?? []) {
    if (!entry.isDirectory() || entry.name <= after) continue;
    names.push(entry.name);
    if (names.length >= 2 * limit) keepFirst();
  }
  return keepFirst();
}

function byCodeUnits(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** Undefined if the file or folder does not exist, for example because another process has just removed it. */
function unlessMissing<T>(work: Promise<T>): Promise<T | undefined> {
  return work.catch((error: unknown) => {
    if (isMissing(error)) return undefined;
    throw error;
  });
}

/**
 * Writes a file atomically: a reader sees the old file, the new one or none, never a part. The bytes go to a temporary file, are
 * synced to the disk, and the file is then renamed. Syncing the folders makes their new entries survive a power failure.
 */
async function writeWhole(path: string, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  const folder = dirname(path);
  const created = await mkdir(folder, { recursive: true, mode: 0o700 });
  const temporary = join(folder, `.${randomBytes(8).toString('hex')}.tmp`);
  try {
    await writeSynced(temporary, chunks);
    await rename(temporary, path);
    await syncFolders(folder, created === undefined ? folder : dirname(created));
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

async function writeSynced(path: string, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    // Unlike write(), writeFile() continues after a short write.
    for await (const chunk of chunks) await file.writeFile(chunk);
    await file.sync();
  } finally {
    await file.close();
  }
}

function* pieces(body: Uint8Array | string): Generator<Uint8Array> {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  for (let at = 0; at < bytes.byteLength; at += PIECE_BYTES) yield bytes.subarray(at, at + PIECE_BYTES);
}

/** Syncs `folder` and its parents, up to and including `top`. */
async function syncFolders(folder: string, top: string): Promise<void> {
  await syncFolder(folder);
  if (folder !== top) await syncFolders(dirname(folder), top);
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function openForReading(path: string, ref: BlobRef): Promise<FileHandle> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if (isMissing(error)) throw missingBlob(ref, error);
    throw blobStoreFailed(`opening ${ref.name}`, error);
  }
}

async function readVerified(
  file: FileHandle,
  ref: BlobRef,
  signal: AbortSignal | undefined,
): Promise<Buffer> {
  await checkSize(file, ref);
  const body = Buffer.allocUnsafeSlow(ref.bytes);
  let at = 0;
  for await (const chunk of verifiedChunks(ref, readChunks(file, ref))) {
    signal?.throwIfAborted();
    body.set(chunk, at);
    at += chunk.byteLength;
  }
  return body;
}

/** Runs before memory is allocated, so that a damaged reference cannot make the process read a file of any size. */
async function checkSize(file: FileHandle, ref: BlobRef): Promise<void> {
  const { size } = await storing(`reading ${ref.name}`, () => file.stat());
  if (size !== ref.bytes) throw damagedBlob(ref, `has ${size} bytes instead of ${ref.bytes}`);
}

async function* readChunks(file: FileHandle, ref: BlobRef): AsyncGenerator<Uint8Array> {
  for (;;) {
    const piece = Buffer.allocUnsafeSlow(PIECE_BYTES);
    const { bytesRead } = await storing(`reading ${ref.name}`, () => file.read(piece, 0, PIECE_BYTES));
    if (bytesRead === 0) return;
    yield piece.subarray(0, bytesRead);
  }
}

async function storing<T>(doing: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof TurnoutError ? error : blobStoreFailed(doing, error);
  }
}

function isMissing(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'ENOTDIR';
}
