import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { ConfigError } from '../../shared/config/load.ts';
import { TurnoutError } from '../../shared/errors/turnout-error.ts';

export interface Caller {
  keyId: string;
  user: string;
  /** Some assistants are for the members of some groups only. */
  groups: readonly string[];
}

/** Keys are 256 random bits, so their plain SHA-256 is enough: there is nothing to guess by a dictionary. */
const keyFile = z.object({
  keys: z.array(
    z.object({
      id: z.string().min(1),
      user: z.string().min(1).max(200),
      sha256: z.string().regex(/^[0-9a-f]{64}$/),
      groups: z.array(z.string().min(1).max(200)).max(1_000).default([]),
    }),
  ),
});

export interface ApiKeys {
  /** The caller behind an `Authorization` header. Throws `invalid_api_key`. */
  authenticate(authorization: string | undefined): Caller;
}

export function loadApiKeys(file: string): ApiKeys {
  const callers = new Map(
    readKeyFile(file).map(({ id, user, sha256, groups }) => [sha256, { keyId: id, user, groups }]),
  );
  return {
    authenticate: (authorization) => {
      const [, key] = /^Bearer (\S+)$/i.exec(authorization ?? '') ?? [];
      // The map is asked for the key's hash: how long that takes says nothing about the key.
      const caller =
        key === undefined ? undefined : callers.get(createHash('sha256').update(key).digest('hex'));
      if (!caller) throw new TurnoutError('invalid_api_key');
      return caller;
    },
  };
}

function readKeyFile(file: string): z.infer<typeof keyFile>['keys'] {
  try {
    return keyFile.parse(JSON.parse(readFileSync(file, 'utf8'))).keys;
  } catch (error) {
    const reason = error instanceof z.ZodError ? z.prettifyError(error) : String(error);
    throw new ConfigError([`API_KEYS_FILE: ${file} is not a readable key file: ${reason}`]);
  }
}
