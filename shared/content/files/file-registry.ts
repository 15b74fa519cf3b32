import { z } from 'zod';
import { fileId as fileIdSchema, userDigest } from '../../platform/ids.ts';
import { type BlobRef } from '../../platform/blobs/blob-ref.ts';
import { TurnoutError } from '../../platform/errors/turnout-error.ts';
import { type Redis } from '../../platform/redis/connect.ts';
import { type FileKeys } from '../../platform/redis/keys.ts';
import { defineScript } from '../../platform/redis/script.ts';
import { type FilePurpose, fileRecord, type StoredFile, visibleFile } from './stored-file.ts';

export interface NewFile extends Pick<
  StoredFile,
  'id' | 'filename' | 'purpose' | 'format' | 'mediaType' | 'createdAt' | 'expiresAt'
> {
  owner: string;
  /** Stored already: a record never speaks of bytes that are not there. */
  content: BlobRef;
}

export interface FilePage {
  files: StoredFile[];
  hasMore: boolean;
}

export interface FileQuery {
  limit: number;
  order: 'asc' | 'desc';
  /** The id of the last file of the page before; it may have been deleted since. */
  after?: string | undefined;
  purpose?: FilePurpose | undefined;
}

export type Settlement = { status: 'processed'; text: BlobRef } | { status: 'error'; details: string };

/** The records of users' files, in the job Redis. Another user's file is as unknown as one that never was. */
export interface FileRegistry {
  /**
   * Throws `too_many_files`, and `storage_limit_exceeded` where what the user has stored would have more bytes than `quota` together.
   * One step: however many are created at once, no more fit.
   */
  create(file: NewFile, quota?: number): Promise<void>;
  /** Bytes of the user's files and stored answers, without those that were deleted or have expired. */
  storedBytes(user: string): Promise<number>;
  find(user: string, fileId: string): Promise<StoredFile | undefined>;
  list(user: string, query: FileQuery): Promise<FilePage>;
  /** False where the user has no such file. */
  remove(user: string, fileId: string): Promise<boolean>;
  /** The file's status afterwards; '' without a record. Only an uploaded file is moved. */
  settle(fileId: string, settlement: Settlement): Promise<'' | StoredFile['status']>;
  /** Whether its bytes are still of use. */
  standing(fileId: string): Promise<FileStanding>;
}

/** `kept`: its user has the file. `ending`: it was deleted, or expired; its record stands for a while. `gone`: no record. */
export type FileStanding = 'kept' | 'ending' | 'gone';

interface FileRegistryOptions {
  redis: Redis;
  keys: FileKeys;
  maxFilesPerUser: number;
  /** Milliseconds that a file's record outlives its end. */
  graceMs: number;
}

const settled = z.union([z.literal(''), fileRecord.shape.status]);
const script = (name: string) => new URL(`./scripts/${name}.lua`, import.meta.url);
/** Records read at once. */
const PAGE = 500;

export function createFileRegistry(options: FileRegistryOptions): FileRegistry {
  const { redis, keys, maxFilesPerUser, graceMs } = options;
  const prelude = [script('prelude')];
  const create = defineScript(redis, script('create'), prelude);
  const remove = defineScript(redis, script('remove'), prelude);
  const stored = defineScript(redis, script('stored'), prelude);
  const settle = defineScript(redis, script('settle'));

  async function standing(id: string): Promise<FileStanding> {
    const [owner, deleted, expires] = await redis.hmget(keys.record(id), 'owner', 'deleted', 'expires');
    if (!owner) return 'gone';
    return deleted || (expires && Number(expires) <= Date.now()) ? 'ending' : 'kept';
  }

  async function find(user: string, id: string): Promise<StoredFile | undefined> {
    if (!fileIdSchema.safeParse(id).success) return undefined;
    const record = await redis.hgetall(keys.record(id));
    return Object.hasOwn(record, 'owner')
      ? visibleFile(id, fileRecord.parse(record), user, Date.now())
      : undefined;
  }

  async function idsAfter(user: string, { order, after }: FileQuery, limit: number): Promise<string[]> {
    const key = keys.ofUser(user);
    const from = after === undefined ? undefined : `(${after}`;
    return order === 'asc'
      ? redis.zrangebylex(key, from ?? '-', '+', 'LIMIT', 0, limit)
      : redis.zrevrangebylex(key, from ?? '+', '-', 'LIMIT', 0, limit);
  }

  async function list(user: string, query: FileQuery): Promise<FilePage> {
    const files: StoredFile[] = [];
    const { limit, purpose } = query;
    const atOnce = Math.min(PAGE, limit + 1);
    for (let { after } = query; files.length <= limit;) {
      const ids = await idsAfter(user, { ...query, after }, atOnce);
      const found = await Promise.all(ids.map((id) => find(user, id)));
      files.push(...found.filter((file) => file !== undefined).filter((file) => matches(file, purpose)));
      after = ids.at(-1);
      if (ids.length < atOnce) break;
    }
    return { files: files.slice(0, limit), hasMore: files.length > limit };
  }

  return {
    create: (file, quota) =>
      storing(async () => {
        const end = file.expiresAt === undefined ? '' : file.expiresAt + graceMs;
        const about = [file.id, Date.now(), maxFilesPerUser, file.expiresAt ?? '', end, file.content.bytes];
        const { owner } = file;
        const keysOf = [...storedKeys(keys, owner), keys.record(file.id), keys.removals(owner)];
        const made = await create(keysOf, [...about, quota ?? '', ...fieldsOf(file)]);
        if (made === -1) throw storageFull(quota ?? 0, 'file');
        if (made !== 1) throw new TurnoutError('too_many_files', { param: 'file' });
      }),
    find: (user, id) => storing(() => find(user, id)),
    list: (user, query) => storing(() => list(user, query)),
    remove: (user, id) =>
      storing(async () => {
        // Of another user in another bucket, no script could have the keys of both in a Redis Cluster.
        if (!fileIdSchema.safeParse(id).success || !mayBeOf(user, id)) return false;
        const listed = [keys.ofUser(user), keys.expiring(user), keys.removals(user), keys.sizes(user)];
        return (await remove([keys.record(id), ...listed], [id, user, Date.now(), graceMs])) === 1;
      }),
    settle: (id, settlement) =>
      storing(async () => settled.parse(await settle([keys.record(id)], settledFields(settlement)))),
    storedBytes: (user) => storing(async () => Number(await stored(storedKeys(keys, user), [Date.now()]))),
    standing: (id) => storing(() => standing(id)),
  };
}

/** What is stored of a user, as the scripts that count it take it. */
export function storedKeys(keys: FileKeys, user: string): string[] {
  return [
    keys.ofUser(user),
    keys.expiring(user),
    keys.sizes(user),
    keys.answers(user),
    keys.answerSizes(user),
  ];
}

/** `quota`: bytes. */
export function storageFull(quota: number, param: 'file' | 'store'): TurnoutError {
  return new TurnoutError('storage_limit_exceeded', {
    message: `Your files and stored answers may have ${quota} bytes together. Delete some first, let uploads expire (expires_after), or send "store": false.`,
    param,
  });
}

function mayBeOf(user: string, id: string): boolean {
  return id.slice(-2) === userDigest(user).slice(-2);
}

function matches(file: StoredFile, purpose: FilePurpose | undefined): boolean {
  return purpose === undefined || file.purpose === purpose;
}

function fieldsOf(file: NewFile): (string | number)[] {
  const { owner, filename, purpose, format, mediaType, content, createdAt, expiresAt } = file;
  const fields = {
    owner,
    filename,
    purpose,
    format,
    media_type: mediaType,
    bytes: content.bytes,
    sha256: content.sha256,
    created: createdAt,
    status: 'uploaded',
    ...(expiresAt === undefined ? {} : { expires: expiresAt }),
  };
  return Object.entries(fields).flat();
}

function settledFields(settlement: Settlement): (string | number)[] {
  if (settlement.status === 'error') return ['error', 'details', settlement.details];
  const { bytes, sha256 } = settlement.text;
  return ['processed', 'text_bytes', bytes, 'text_sha256', sha256];
}

/** Whatever Redis says or does not say. */
async function storing<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof TurnoutError) throw cause;
    const message = 'The store of files is unavailable. Try again.';
    throw new TurnoutError('store_unavailable', { message, cause, retryAfterS: 2 });
  }
}
