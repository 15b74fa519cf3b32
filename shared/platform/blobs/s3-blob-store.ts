import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  paginateListObjectsV2,
  PutObjectCommand,
  type S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
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

export interface S3BlobStoreOptions {
  client: S3Client;
  bucket: string;
  /** Prefix of all keys: '' or `folder/`. */
  prefix: string;
}

/** S3's minimum part size; each upload buffers one part in memory. */
const PART_BYTES = 5 * 1024 * 1024;
const DELETES_AT_ONCE = 16;

/**
 * Stores blobs as objects of one bucket. An object appears whole or not at all: after a single PUT, or when a multipart upload is
 * completed. A process that crashes during an upload leaves invisible parts behind; a lifecycle rule of the bucket
 * (`AbortIncompleteMultipartUpload`) removes them.
 */
export function createS3BlobStore(options: S3BlobStoreOptions): BlobStore {
  const { client, bucket: Bucket } = options;
  const at = (name: string) => ({ Bucket, Key: options.prefix + checkedBlobName(name) });

  async function open(ref: BlobRef, signal?: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    const found = await storing(`reading ${ref.name}`, () => read(client, at(ref.name), signal));
    if (!found) throw missingBlob(ref);
    if (found.length === ref.bytes) return verifiedChunks(ref, whileReading(ref.name, found.body));
    found.body.destroy();
    throw damagedBlob(ref, `has ${String(found.length)} bytes instead of ${ref.bytes}`);
  }

  return {
    put: async (name, body) => {
      const target = at(name);
      const bytes = typeof body === 'string' ? Buffer.from(body) : body;
      const hash = createHash('sha256').update(bytes).digest();
      // The store verifies the checksum before it acknowledges.
      const command = { ...target, Body: bytes, ChecksumSHA256: hash.toString('base64') };
      await storing(`writing ${name}`, () => client.send(new PutObjectCommand(command)));
      return { kind: 'blob', name, sha256: hash.toString('hex'), bytes: bytes.byteLength };
    },
    putStream: async (name, body, maxBytes) => {
      const measured = measuredStream(body, maxBytes);
      const params = { ...at(name), Body: Readable.from(measured.chunks, { objectMode: false }) };
      try {
        const upload = new Upload({ client, params, partSize: PART_BYTES, queueSize: 1 });
        await storing(`writing ${name}`, () => upload.done());
      } catch (error) {
        throw measured.failure() ?? error;
      }
      return { kind: 'blob', name, ...measured.digest() };
    },
    get: async (ref, signal) => {
      signal?.throwIfAborted();
      try {
        return Buffer.concat(await Array.fromAsync(await open(ref, signal)), ref.bytes);
      } catch (error) {
        throw signal?.aborted ? signal.reason : error;
      }
    },
    openStream: async (ref) => Readable.from(await open(ref), { objectMode: false }),
    load: async (name) => {
      const target = at(name);
      return storing(`reading ${name}`, async () => {
        const found = await read(client, target);
        return found && Buffer.concat(await Array.fromAsync<Uint8Array>(found.body));
      });
    },
    removeFolder: async (prefix) => {
      const { Key } = at(prefix);
      await storing(`removing ${prefix}`, async () => {
        for await (const page of objectsBelow(client, Bucket, `${Key}/`))
          await removeAll(client, Bucket, page);
      });
    },
    listFolders: async (prefix, page) => {
      const { Key } = at(prefix);
      return storing(`listing ${prefix}`, () => pageOfFolders(client, Bucket, `${Key}/`, page));
    },
  };
}

interface Location {
  Bucket: string;
  Key: string;
}

interface Found {
  body: Readable;
  length: number | undefined;
}

/** Undefined if the object does not exist. */
async function read(client: S3Client, location: Location, signal?: AbortSignal): Promise<Found | undefined> {
  try {
    const abort = signal ? { abortSignal: signal } : {};
    const { Body, ContentLength } = await client.send(new GetObjectCommand(location), abort);
    if (!(Body instanceof Readable)) throw new Error('The S3 response has no body');
    return { body: Body, length: ContentLength };
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** Checks the error name, because a missing bucket is a 404 too. */
function isMissing(error: unknown): boolean {
  return error instanceof S3ServiceException && error.name === 'NoSuchKey';
}

/** Reports a connection that breaks while reading as a failure of the store, not as damage. */
async function* whileReading(name: string, body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch (error) {
    throw blobStoreFailed(`reading ${name}`, error);
  }
}

interface StoredObject {
  Key?: string | undefined;
  LastModified?: Date | undefined;
}

async function* objectsBelow(
  client: S3Client,
  Bucket: string,
  Prefix: string,
  StartAfter?: string,
): AsyncGenerator<StoredObject[]> {
  const where = { Bucket, Prefix, ...(StartAfter === undefined ? {} : { StartAfter }) };
  for await (const { Contents = [] } of paginateListObjectsV2({ client }, where)) yield Contents;
}

/** Deletes one object per call, because not every compatible store supports bulk deletion. */
async function removeAll(client: S3Client, Bucket: string, objects: readonly StoredObject[]): Promise<void> {
  for (let first = 0; first < objects.length; first += DELETES_AT_ONCE) {
    const some = objects.slice(first, first + DELETES_AT_ONCE);
    await Promise.all(some.map(({ Key }) => client.send(new DeleteObjectCommand({ Bucket, Key }))));
  }
}

/**
 * S3 has no folders, but it lists the keys of a folder consecutively: a folder is complete when the next one begins. `0` is the
 * character after `/`, so `name0` sorts after everything below `name/`.
 */
async function pageOfFolders(
  client: S3Client,
  bucket: string,
  prefix: string,
  { after, limit }: FolderPage,
): Promise<BlobFolder[]> {
  const folders: BlobFolder[] = [];
  const from = after === undefined ? undefined : `${prefix}${after}0`;
  for await (const page of objectsBelow(client, bucket, prefix, from)) {
    for (const { Key = '', LastModified } of page) {
      const [name = '', ...below] = Key.slice(prefix.length).split('/');
      if (below.length === 0) continue;
      const changedAt = LastModified?.getTime() ?? 0;
      const last = folders.at(-1);
      if (last?.name === name) last.changedAt = Math.max(last.changedAt, changedAt);
      else if (folders.length === limit) return folders;
      else folders.push({ name, changedAt });
    }
  }
  return folders;
}

async function storing<T>(doing: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof TurnoutError ? error : blobStoreFailed(doing, error);
  }
}
