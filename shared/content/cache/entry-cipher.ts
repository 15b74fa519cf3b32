import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { zstdCompress, zstdDecompress } from 'node:zlib';
import { type CacheKind } from '../../contracts/cache-kinds.ts';

/** The owner of an entry. */
export interface Owner {
  user: string;
  /** See `cache-versions.ts`. */
  cacheVersion: string;
}

/**
 * Names and encrypts entries, so that access to the cache's Redis reveals nothing about them: names show neither the user nor the kind nor
 * the request of an entry, and values cannot be read.
 *
 * - An owner's tag: HMAC-SHA-256 under the user's cache version, which is not in that Redis. Tags tell owners apart but identify no user.
 * - An entry's id: HMAC-SHA-256 under a server key, of user, cache version, kind and fingerprint.
 * - A value: AES-256-GCM (NIST SP 800-38D) under a key that HKDF (RFC 5869) derives from the server key, the cache version and the user, with
 *   the entry's full name as associated data. A value that is copied to another name cannot be decrypted.
 *
 * With several server keys, the first one encrypts and all of them decrypt. Remove a key when the entries that it encrypted have expired.
 */
export interface EntryCipher {
  /** 22 characters of base64url. */
  tagOf(owner: Owner): string;
  /** The ids that an entry may have, one for each server key. A new entry gets the first one. */
  idsOf(owner: Owner, kind: CacheKind, fingerprint: string): readonly [string, ...string[]];
  encrypt(owner: Owner, name: string, value: Buffer): Promise<Buffer>;
  /** `key`: the position of the entry's id in `idsOf`. Undefined for a value that was not encrypted for this owner and name. */
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

/** See `EntryCipher`. It depends on no server key, so the tag and the owner's counts survive a key rotation. */
export function ownerTag({ user, cacheVersion }: Owner): string {
  return mac(cacheVersion, ['turnout cache tag v1', user]);
}

function derive(secret: string, salt: string, info: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, salt, info, KEY_BYTES));
}

/** MAC of a list. JSON encoding makes different lists different texts. */
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
    return undefined; // it was encrypted under another key or name, or is damaged
  }
}

const zip = promisify(zstdCompress);
const unzip = promisify(zstdDecompress);
const PLAIN = 0;
const ZIPPED = 1;
/** Smaller values are not compressed, since they save too little. Bytes. */
const WORTH_A_TRY = 512;
const WORTH_IT = 0.9;

/** Compresses a value if that saves at least 10%. This must happen before encryption, since encrypted bytes do not compress. */
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
