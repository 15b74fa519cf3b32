import { type Config } from '../../platform/config/schema.ts';
import { type Logger } from '../../platform/log/logger.ts';
import { type Redis } from '../../platform/redis/connect.ts';
import { type Authenticator, createAuthenticator } from './authenticator.ts';
import { type FileKey } from './key-file.ts';
import { createKeyStore } from './key-store.ts';
import { createTokenReader, type TokenConfig, tokenRules } from './tokens.ts';

interface OpenOptions {
  config: TokenConfig & Pick<Config, 'REDIS_PREFIX'>;
  redis: Redis;
  /** Keys in addition to those in Redis. */
  fileKeys: readonly FileKey[];
  log: Logger;
}

/** Throws `ConfigError`. */
export function openAuthenticator({ config, redis, fileKeys, log }: OpenOptions): Authenticator {
  const rules = tokenRules(config);
  return createAuthenticator({
    fileKeys,
    store: createKeyStore(redis, config.REDIS_PREFIX),
    tokens: rules && createTokenReader(rules),
    log,
  });
}
