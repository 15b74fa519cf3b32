import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { zstdCompress, zstdDecompress } from 'node:zlib';
import { type CacheKind } from '../../contracts/cache-kinds.ts';

/** Whose an entry is. */
export interface Owner {
  user: string;
  /** See `cache-versions.ts`. */
  cacheVersion: string;
}

/**
 * Names and encrypts entries, so that the cache's Redis tells nothing of them to whoever reads it: no name says whose an entry
 * is, what it is or what it answers, and no value can be read.
 *
 * - An owner's tag: HMAC-SHA-256 under his generation, which is not in that Redis. It tells apart, and links to nobody.
 * - An entry's id: HMAC-SHA-256 under a server key, of user, generation, kind and fingerprint.
 * - A value: AES-256-GCM (NIST SP 800-38D) under a key that HKDF (RFC 5869) makes of the server key, the generation and the
 *   user, with the entry's whole name as associated data. What is copied under another name does not open.
 *
 * Of several server keys the first one seals, and all open: a key is retired when what it sealed has expired.
 */
export interface EntryCipher {
  /** 22 characters of base64url. */
  tagOf(owner: Owner): string;
  /** The ids that an entry may have, one for each server key: that of the first is the one that it gets. */
  idsOf(owner: Owner, kind: CacheKind, fingerprint: string): readonly [string, ...string[]];
  encrypt(owner: Owner, name: string, value: Buffer): Promise<Buffer>;
  /** `key`: the position of the entry's id among `idsOf`. Undefined for what was not sealed for that owner and name. */
  open(owner: Owner, name: string, key: number, encrypted: Buffer): Promise<Buffer | undefined>;
}

const ID_BYTES = 16;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_BYTES = 32;

/** `secrets`: at least one, of at least 32 characters, the newest first. */
export function createEntryCipher([first, ...others]: readonly [string, ...string[]]): EntryCipher {
  const idKey = (secret: string) => derive(secret, '', 'turnout cache id v1');
  const [newest, older] = [idKey(first), others.map(idKey)];
  const secrets = [first, ...others];
  const valueKey = (secret: string, { user, cacheVersion }: Owner) =>
    derive(secret, cacheVersion, `turnout cache value v1 ${user}`);

  return {
    tagOf: ownerTag,
    idsOf: ({ user, cacheVersion }, kind, fingerprint) => {
      const id = (key: Buffer) => mac(key, [user, cacheVersion, kind, fingerprint]);
      return [id(newest), ...older.map(id)];
    },
    encrypt: async (owner, name, value) => encryptValue(valueKey(first, owner), name, await pack(value)),
    open: async (owner, name, key, encrypted) => {
      const secret = secrets[key];
      const packed =
        secret === undefined ? undefined : decryptValue(valueKey(secret, owner), name, encrypted);
      return packed && unpack(packed);
    },
  };
}

/** See `Sealer`. No server key is in it, so it outlives a change of these, and with it the counts of what its owner has. */
export function ownerTag({ user, cacheVersion }: Owner): string {
  return mac(cacheVersion, ['turnout cache tag v1', user]);
}

function derive(secret: string, salt: string, info: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, salt, info, KEY_BYTES));
}

/** Of a list, so that no two lists are the same text. */
function mac(key: string | Buffer, parts: readonly string[]): string {
  return createHmac('sha256', key)
    .update(JSON.stringify(parts))
    .digest()
    .subarray(0, ID_BYTES)
    .toString('base64url');
}

function encryptValue(key: Buffer, name: string, value: Buffer): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(name));
  const encrypted = Buffer.concat([cipher.update(value), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), encrypted]);
}

function decryptValue(key: Buffer, name: string, encrypted: Buffer): Buffer | undefined {
  const [nonce, rest] = [encrypted.subarray(0, NONCE_BYTES), encrypted.subarray(NONCE_BYTES)];
  if (rest.length < TAG_BYTES) return undefined;
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(Buffer.from(name)).setAuthTag(rest.subarray(0, TAG_BYTES));
  const opened = decipher.update(rest.subarray(TAG_BYTES));
  try {
    return Buffer.concat([opened, decipher.final()]);
  } catch {
    return undefined; // it was sealed under another key or name, or is damaged: there is no third case, and no more to say
  }
}

const zip = promisify(zstdCompress);
const unzip = promisify(zstdDecompress);
const PLAIN = 0;
const ZIPPED = 1;
/** Bytes; of less, nothing worth its while can be saved. */
const WORTH_A_TRY = 512;
const WORTH_IT = 0.9;

/** Compressed where that pays: before it is encrypted, for afterwards there is nothing left to compress. */
async function pack(value: Buffer): Promise<Buffer> {
  const zipped = value.length < WORTH_A_TRY ? undefined : await zip(value);
  return zipped && zipped.length <= value.length * WORTH_IT
    ? Buffer.concat([Buffer.of(ZIPPED), zipped])
    : Buffer.concat([Buffer.of(PLAIN), value]);
}

async function unpack(packed: Buffer): Promise<Buffer> {
  const [how, value] = [packed[0], packed.subarray(1)];
  return how === ZIPPED ? unzip(value) : value;
}
