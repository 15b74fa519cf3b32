import { type Codec } from './codec.ts';
import { type EntryStore, type FoundEntry, type EntryAddress } from './entry-store.ts';
import { type CacheVersions } from './cache-versions.ts';
import { type CacheKey, type CacheKind, type KindRules } from '../../contracts/cache-kinds.ts';
import { type Owner, type EntryCipher } from './entry-cipher.ts';

/** Where one entry is, for its owner as he is now. */
export interface Located {
  owner: Owner;
  address: EntryAddress;
}

export interface Kept<T> {
  value: T;
  /** When it was kept; milliseconds since the epoch. */
  at: number;
}

/** Between values and sealed entries. Rejects where a Redis is away. */
export interface EncryptedEntries {
  locate(key: CacheKey): Promise<Located>;
  /** Undefined for what cannot be read: it is none of this owner's, or no such value any more. */
  open<T>(owner: Owner, entry: FoundEntry, codec: Codec<T>): Promise<Kept<T> | undefined>;
  /** False where it was not kept: too large, or no room. */
  keep<T>(kind: CacheKind, located: Located, what: Keeping<T>): Promise<boolean>;
}

export interface Keeping<T> {
  value: T;
  codec: Codec<T>;
  /** Milliseconds; default and maximum: the kind's own. */
  ttlMs?: number | undefined;
}

interface EncryptedEntriesOptions {
  entries: Pick<EntryStore, 'nameOf' | 'put'>;
  cacheVersions: Pick<CacheVersions, 'current'>;
  cipher: EntryCipher;
  rules: Readonly<Record<CacheKind, KindRules>>;
}

/** What is the same for all users belongs to nobody; that it is there is no secret. */
const NOBODY: Owner = { user: '', cacheVersion: '0'.repeat(32) };
/** Of the time that stands before each value. */
const AT_BYTES = 6;

export function createEncryptedEntries({
  entries,
  cacheVersions,
  cipher,
  rules,
}: EncryptedEntriesOptions): EncryptedEntries {
  async function ownerOf(key: CacheKey): Promise<Owner> {
    if (key.kind === 'model') return NOBODY;
    return { user: key.user, cacheVersion: await cacheVersions.current(key.user) };
  }

  return {
    locate: async (key) => {
      const owner = await ownerOf(key);
      const address = { tag: cipher.tagOf(owner), ids: cipher.idsOf(owner, key.kind, key.fingerprint) };
      return { owner, address };
    },
    open: async (owner, { name, at: key, encrypted }, codec) => {
      const bytes = await cipher.open(owner, name, key, encrypted);
      const value = bytes && codec.decode(bytes.subarray(AT_BYTES));
      return value === undefined ? undefined : { value, at: bytes?.readUIntBE(0, AT_BYTES) ?? 0 };
    },
    keep: async (kind, { owner, address: { tag, ids } }, { value, codec, ttlMs = Infinity }) => {
      const at = Buffer.alloc(AT_BYTES);
      at.writeUIntBE(Date.now(), 0, AT_BYTES);
      const plain = Buffer.concat([at, codec.encode(value)]);
      const encrypted = await cipher.encrypt(owner, entries.nameOf(tag, ids[0]), plain);
      if (encrypted.length > rules[kind].maxBytes) return false;
      return (await entries.put(tag, ids[0], encrypted, Math.min(rules[kind].ttlMs, ttlMs))) === 'kept';
    },
  };
}
