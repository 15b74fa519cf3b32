import { type Codec } from './codec.ts';
import { type EntryStore, type FoundEntry, type EntryAddress } from './entry-store.ts';
import { type CacheVersions } from './cache-versions.ts';
import { type CacheKey, type CacheKind, type KindRules } from '../../contracts/cache-kinds.ts';
import { type Owner, type EntryCipher } from './entry-cipher.ts';

/** An entry's owner, with the current cache version, and its address. */
export interface Located {
  owner: Owner;
  address: EntryAddress;
}

export interface Kept<T> {
  value: T;
  /** When it was stored; milliseconds since the epoch. */
  at: number;
}

/** Converts between values and encrypted entries. Rejects when a Redis is unavailable. */
export interface EncryptedEntries {
  locate(key: CacheKey): Promise<Located>;
  /** Undefined for an entry that cannot be decrypted for this owner, or whose value is no longer valid. */
  open<T>(owner: Owner, entry: FoundEntry, codec: Codec<T>): Promise<Kept<T> | undefined>;
  /** False when the value was not stored: it is too large, or there is no space. */
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

/** The owner of entries that are the same for all users. Their existence is not secret. */
const NOBODY: Owner = { user: '', cacheVersion: '0'.repeat(32) };
/** Size of the timestamp before each value. */
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
