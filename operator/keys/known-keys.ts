import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { type ApiKey } from '../../shared/policy/access/api-key.ts';
import { readKeyFile } from '../../shared/policy/access/key-file.ts';
import { createKeyStore, type KeyStore } from '../../shared/policy/access/key-store.ts';
import { CommandFailed, type OperatorContext } from '../context.ts';
import { needing, withStores } from '../stores.ts';

/** Runs `work` with the keys that are stored in Redis. */
export function withKeys<T>({ settings }: OperatorContext, work: (keys: KeyStore) => Promise<T>): Promise<T> {
  const known = settings();
  return withStores(known, ({ redis, addresses }) =>
    needing(addresses.redis, work(createKeyStore(redis, known.REDIS_PREFIX))),
  );
}

/** The keys of `API_KEYS_FILE` as key records; none if there is no file. Throws `ConfigError` if the file cannot be read. */
export function keysOfFile({ settings, root }: OperatorContext): ApiKey[] {
  const file = resolve(root, settings().API_KEYS_FILE);
  if (!existsSync(file)) return [];
  return readKeyFile(file).map(({ expiresAt, ...key }) => ({
    version: 1,
    ...key,
    name: '',
    prefix: '',
    createdAt: 0,
    ...(expiresAt === undefined ? {} : { expiresAt }),
  }));
}

export function unknownKey(id: string): CommandFailed {
  return new CommandFailed(`No key has the id ${id}. \`turnout keys list\` shows the ids.`);
}
