import { assertUsable, hashOfKey } from './api-key.ts';
import { type FileKey } from './key-file.ts';
import { type KeyStore } from './key-store.ts';
import { type Principal } from './principal.ts';
import { TurnoutError } from '../../platform/errors/turnout-error.ts';
import { type Logger } from '../../platform/log/logger.ts';
import { isToken, type TokenReader } from './tokens.ts';

export interface Authenticator {
  /**
   * Returns the principal of an `Authorization` header. Throws `invalid_api_key`, `user_blocked`, or `store_unavailable` if Redis cannot
   * tell whether the key was revoked.
   */
  authenticate(authorization: string | undefined): Promise<Principal>;
}

interface AuthenticatorOptions {
  /** Keys of the deployment's key file. */
  fileKeys: readonly FileKey[];
  store: Pick<KeyStore, 'find' | 'used'>;
  /** Undefined: no identity provider is trusted. */
  tokens: TokenReader | undefined;
  log: Logger;
  now?: () => number;
}

const RETRY_AFTER_S = 2;
/** Minimum interval between two writes of a key's last use by one process. Milliseconds. */
const USED_EVERY_MS = 60_000;

/**
 * Turns API keys and tokens into principals. A key is looked up by its SHA-256, in the key file and in Redis, so that the duration
 * reveals nothing about the key. A record in Redis overrides the file, so that keys of the file can be revoked, too.
 */
export function createAuthenticator(options: AuthenticatorOptions): Authenticator {
  const { store, tokens, log, now = Date.now } = options;
  const ofFile = new Map(options.fileKeys.map((key) => [key.sha256, key]));
  const usedAt = new Map<string, number>();

  async function find(asked: Parameters<KeyStore['find']>[0]) {
    return store.find(asked).catch((error: unknown) => {
      throw new TurnoutError('store_unavailable', { cause: error, retryAfterS: RETRY_AFTER_S });
    });
  }

  function tellUse(keyId: string, at: number): void {
    if (at - (usedAt.get(keyId) ?? 0) < USED_EVERY_MS) return;
    usedAt.set(keyId, at);
    store.used(keyId, at).catch((error: unknown) => {
      log.warn({ err: error, keyId }, 'The last use of an API key could not be written');
    });
  }

  async function byKey(key: string): Promise<Principal> {
    const sha256 = hashOfKey(key);
    const inFile = ofFile.get(sha256);
    const { key: stored, blocked } = await find({ sha256, ...(inFile ? { user: inFile.user } : {}) });
    const known = stored ?? inFile;
    if (!known) throw new TurnoutError('invalid_api_key');
    const at = now();
    assertUsable(known, at);
    assertNotBlocked(blocked);
    tellUse(known.id, at);
    const { user, groups, admin, id: keyId } = known;
    return { user, groups, admin, keyId };
  }

  async function byToken(token: string, reader: TokenReader): Promise<Principal> {
    const principal = await reader.read(token);
    const { blocked } = await find({ user: principal.user });
    assertNotBlocked(blocked);
    return principal;
  }

  return {
    authenticate: async (authorization) => {
      const [, credential] = /^Bearer ([\x21-\x7e]+)$/i.exec(authorization ?? '') ?? [];
      if (credential === undefined) throw new TurnoutError('invalid_api_key');
      return tokens && isToken(credential) ? byToken(credential, tokens) : byKey(credential);
    },
  };
}

function assertNotBlocked(blocked: boolean): void {
  if (blocked) throw new TurnoutError('user_blocked');
}
