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
import { type BlobRef } from '../contracts/job-message.ts';
import { TurnoutError } from '../errors/turnout-error.ts';
import { type BlobStore, blobStoreFailed, checkedBlobName, damagedBlob, missingBlob } from './blob-store.ts';
import { measuredStream, verifiedChunks } from './measured-stream.ts';

export interface S3BlobStoreOptions {
  client: S3Client;
  bucket: string;
  /** What all keys begin with: '' or `folder/`. */
  prefix: string;
}

/** S3's least size of a part, and what one upload keeps in memory. */
const PART_BYTES = 5 * 1024 * 1024;
const DELETES_AT_ONCE = 16;

/**
 * Blobs as objects of one bucket. An object appears whole or not at all: by one PUT, or when the parts of a streamed one
 * are completed. What a process that died leaves of an upload is invisible parts; a lifecycle rule of the bucket
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
      // The store compares what arrived with the checksum before it acknowledges.
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
    staleFolders: async (prefix, ageMs) => {
      const { Key } = at(prefix);
      const newest = await storing(`listing ${prefix}`, () => newestPuts(client, Bucket, `${Key}/`));
      const until = Date.now() - ageMs;
      return [...newest].flatMap(([name, time]) => (time <= until ? [`${prefix}/${name}`] : []));
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

/** Undefined where there is no such object. */
async function read(client: S3Client, location: Location, signal?: AbortSignal): Promise<Found | undefined> {
  try {
    const abort = signal ? { abortSignal: signal } : {};
    const { Body, ContentLength } = await client.send(new GetObjectCommand(location), abort);
    if (!(Body instanceof Readable)) throw new Error('the answer has no body');
    return { body: Body, length: ContentLength };
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** A missing bucket is a 404 as well, and no missing object. */
function isMissing(error: unknown): boolean {
  return error instanceof S3ServiceException && error.name === 'NoSuchKey';
}

/** A connection that breaks in the middle is the store's failure, not damage. */
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
): AsyncGenerator<StoredObject[]> {
  for await (const { Contents = [] } of paginateListObjectsV2({ client }, { Bucket, Prefix })) yield Contents;
}

/** One by one: not every compatible store has the call that removes many. */
async function removeAll(client: S3Client, Bucket: string, objects: readonly StoredObject[]): Promise<void> {
  for (let first = 0; first < objects.length; first += DELETES_AT_ONCE) {
    const some = objects.slice(first, first + DELETES_AT_ONCE);
    await Promise.all(some.map(({ Key }) => client.send(new DeleteObjectCommand({ Bucket, Key }))));
  }
}

/** Folder -> when something was last put below it, in ms since the epoch. S3 has no folders: every key is looked at. */
async function newestPuts(client: S3Client, bucket: string, prefix: string): Promise<Map<string, number>> {
  const newest = new Map<string, number>();
  for await (const page of objectsBelow(client, bucket, prefix)) {
    for (const { Key = '', LastModified } of page) {
      const [folder = '', ...below] = Key.slice(prefix.length).split('/');
      if (below.length === 0) continue;
      newest.set(folder, Math.max(newest.get(folder) ?? 0, LastModified?.getTime() ?? 0));
    }
  }
  return newest;
}

async function storing<T>(doing: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof TurnoutError ? error : blobStoreFailed(doing, error);
  }
}
