import { type Codec } from './codec.ts';
import { type EntryStore, type FoundEntry, type Place } from './entry-store.ts';
import { type Generations } from './generations.ts';
import { type CacheKey, type CacheKind, type KindRules } from '../../contracts/cache-kinds.ts';
import { type Owner, type Sealer } from './seal.ts';

/** Where one entry is, for its owner as he is now. */
export interface Located {
  owner: Owner;
  place: Place;
}

export interface Kept<T> {
  value: T;
  /** When it was kept; milliseconds since the epoch. */
  at: number;
}

/** Between values and sealed entries. Rejects where a Redis is away. */
export interface Vault {
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

interface VaultOptions {
  entries: Pick<EntryStore, 'nameOf' | 'put'>;
  generations: Pick<Generations, 'current'>;
  sealer: Sealer;
  rules: Readonly<Record<CacheKind, KindRules>>;
}

/** What is the same for all users belongs to nobody; that it is there is no secret. */
const NOBODY: Owner = { user: '', generation: '0'.repeat(32) };
/** Of the time that stands before each value. */
const AT_BYTES = 6;

export function createVault({ entries, generations, sealer, rules }: VaultOptions): Vault {
  async function ownerOf(key: CacheKey): Promise<Owner> {
    if (key.kind === 'model') return NOBODY;
    return { user: key.user, generation: await generations.current(key.user) };
  }

  return {
    locate: async (key) => {
      const owner = await ownerOf(key);
      const place = { tag: sealer.tagOf(owner), ids: sealer.idsOf(owner, key.kind, key.fingerprint) };
      return { owner, place };
    },
    open: async (owner, { name, at: key, sealed }, codec) => {
      const bytes = await sealer.open(owner, name, key, sealed);
      const value = bytes && codec.decode(bytes.subarray(AT_BYTES));
      return value === undefined ? undefined : { value, at: bytes?.readUIntBE(0, AT_BYTES) ?? 0 };
    },
    keep: async (kind, { owner, place: { tag, ids } }, { value, codec, ttlMs = Infinity }) => {
      const at = Buffer.alloc(AT_BYTES);
      at.writeUIntBE(Date.now(), 0, AT_BYTES);
      const plain = Buffer.concat([at, codec.encode(value)]);
      const sealed = await sealer.seal(owner, entries.nameOf(tag, ids[0]), plain);
      if (sealed.length > rules[kind].maxBytes) return false;
      return (await entries.put(tag, ids[0], sealed, Math.min(rules[kind].ttlMs, ttlMs))) === 'kept';
    },
  };
}
