import { createHash, randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { type BlobRef } from '../contracts/job-message.ts';
import { TurnoutError } from '../errors/turnout-error.ts';
import { type BlobStore, blobStoreFailed, checkedBlobName, damagedBlob, missingBlob } from './blob-store.ts';

/** Small enough that hashing one piece (~1 ms) does not hold up the event loop. */
const PIECE_BYTES = 1024 * 1024;

/**
 * Blobs as files below one folder that all services of this machine share. Only the owner can read them: files are 0600,
 * folders 0700.
 */
export function createDiskBlobStore(folder: string): BlobStore {
  const root = resolve(folder);
  const pathOf = (name: string) => join(root, checkedBlobName(name));

  return {
    put: async (name, body) => {
      const path = pathOf(name);
      const bytes = typeof body === 'string' ? Buffer.from(body) : body;
      const sha256 = await storing(`writing ${name}`, () => writeWhole(path, bytes));
      return { kind: 'blob', name, sha256, bytes: bytes.byteLength };
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
    load: async (name) => {
      const path = pathOf(name);
      return storing(`reading ${name}`, () => unlessMissing(readFile(path)));
    },
    removeFolder: async (prefix) => {
      const path = pathOf(prefix);
      await storing(`removing ${prefix}`, () => rm(path, { recursive: true, force: true }));
    },
    staleFolders: async (prefix, ageMs) => {
      const path = pathOf(prefix);
      const changed = await storing(`listing ${prefix}`, () => changeTimes(path));
      const until = Date.now() - ageMs;
      return changed.filter(({ at }) => at <= until).map(({ name }) => `${prefix}/${name}`);
    },
  };
}

/** When something was last put into each folder below this one, in ms since the epoch. */
async function changeTimes(folder: string): Promise<{ name: string; at: number }[]> {
  const entries = await unlessMissing(readdir(folder, { withFileTypes: true }));
  const times: { name: string; at: number }[] = [];
  for (const { name } of (entries ?? []).filter((entry) => entry.isDirectory())) {
    const found = await unlessMissing(stat(join(folder, name)));
    if (found) times.push({ name, at: Math.floor(found.mtimeMs) });
  }
  return times;
}

/** Undefined for what is not there, or was removed by another process meanwhile. */
function unlessMissing<T>(work: Promise<T>): Promise<T | undefined> {
  return work.catch((error: unknown) => {
    if (isMissing(error)) return undefined;
    throw error;
  });
}

/**
 * A reader sees the old file, the new one or none, never a part: the bytes go to a temporary name, reach the disk, and
 * only then take their place. Syncing the folders makes their new entries survive a power failure as well. Returns the SHA-256.
 */
async function writeWhole(path: string, bytes: Uint8Array): Promise<string> {
  const folder = dirname(path);
  const created = await mkdir(folder, { recursive: true, mode: 0o700 });
  const temporary = join(folder, `.${randomBytes(8).toString('hex')}.tmp`);
  try {
    const sha256 = await writeSynced(temporary, bytes);
    await rename(temporary, path);
    await syncFolders(folder, created === undefined ? folder : dirname(created));
    return sha256;
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

async function writeSynced(path: string, bytes: Uint8Array): Promise<string> {
  const hash = createHash('sha256');
  const file = await open(path, 'wx', 0o600);
  try {
    for (let at = 0; at < bytes.byteLength; at += PIECE_BYTES) {
      const piece = bytes.subarray(at, at + PIECE_BYTES);
      hash.update(piece);
      await file.writeFile(piece); // unlike write(), it goes on after a short write
    }
    await file.sync();
  } finally {
    await file.close();
  }
  return hash.digest('hex');
}

/** Syncs `folder` and those above it, up to and with `top`. */
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
  const { size } = await storing(`reading ${ref.name}`, () => file.stat());
  // Before the memory is taken: a damaged reference must not make us read a file of any size.
  if (size !== ref.bytes) throw damagedBlob(ref, `has ${size} bytes instead of ${ref.bytes}`);
  const hash = createHash('sha256');
  const body = Buffer.allocUnsafeSlow(size);
  let at = 0;
  while (at < size) {
    signal?.throwIfAborted();
    const length = Math.min(PIECE_BYTES, size - at);
    const position = at;
    const { bytesRead } = await storing(`reading ${ref.name}`, () =>
      file.read(body, position, length, position),
    );
    if (bytesRead === 0) throw damagedBlob(ref, `ends after ${at} of ${size} bytes`);
    hash.update(body.subarray(at, at + bytesRead));
    at += bytesRead;
  }
  if (hash.digest('hex') !== ref.sha256) throw damagedBlob(ref, 'its SHA-256 does not match');
  return body;
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
