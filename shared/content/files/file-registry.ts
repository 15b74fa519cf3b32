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
  /** The stored bytes. Store them first: a record must never refer to missing bytes. */
  content: BlobRef;
}

export interface FilePage {
  files: StoredFile[];
  hasMore: boolean;
}

export interface FileQuery {
  limit: number;
  order: 'asc' | 'desc';
  /** The id of the last file on the previous page; it may have been deleted since. */
  after?: string | undefined;
  purpose?: FilePurpose | undefined;
}

export type Settlement = { status: 'processed'; text: BlobRef } | { status: 'error'; details: string };

/** The records of users' files, in the job Redis. Another user's file is treated like one that does not exist. */
export interface FileRegistry {
  /**
   * Throws `too_many_files`, and `storage_limit_exceeded` when the user's files and stored answers would exceed `quota` bytes. The check and
   * the creation are atomic, so concurrent uploads cannot exceed the limits.
   */
  create(file: NewFile, quota?: number): Promise<void>;
  /** Bytes of the user's files and stored answers, without deleted and expired ones. */
  storedBytes(user: string): Promise<number>;
  find(user: string, fileId: string): Promise<StoredFile | undefined>;
  list(user: string, query: FileQuery): Promise<FilePage>;
  /** False when the user has no such file. */
  remove(user: string, fileId: string): Promise<boolean>;
  /** Sets the status of a file that is still `uploaded`. Returns its status afterwards; '' without a record. */
  settle(fileId: string, settlement: Settlement): Promise<'' | StoredFile['status']>;
  /** Whether the file's bytes are still needed. */
  standing(fileId: string): Promise<FileStanding>;
}

/** `kept`: the user has the file. `ending`: it was deleted or has expired, and its record still exists. `gone`: no record. */
export type FileStanding = 'kept' | 'ending' | 'gone';

interface FileRegistryOptions {
  redis: Redis;
  keys: FileKeys;
  maxFilesPerUser: number;
  /** How long a file's record is kept after its deletion or expiry; milliseconds. */
  graceMs: number;
}

const settled = z.union([z.literal(''), fileRecord.shape.status]);
const script = (name: string) => new URL(`./scripts/${name}.lua`, import.meta.url);
/** How many records are read at once. */
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
        // A file of another user may be in another bucket; in a Redis Cluster, one script cannot access keys of both.
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

/** The keys of a user's files and stored answers, in the order in which the scripts take them. */
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
    message: `Your files and stored answers would exceed your quota of ${quota} bytes. Delete some, let uploads expire (expires_after), or send "store": false.`,
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

/** Converts any Redis failure into `store_unavailable`. */
async function storing<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof TurnoutError) throw cause;
    const message = 'The store of files is unavailable. Try again.';
    throw new TurnoutError('store_unavailable', { message, cause, retryAfterS: 2 });
  }
}
