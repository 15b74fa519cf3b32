import { type z } from 'zod';
import { ConfigError, parseSettings } from '../shared/platform/config/load.ts';
import { configSchema } from '../shared/platform/config/schema.ts';

/** The services' settings that the command line needs. No API key is required; `TURNOUT_SECRET` only for commands that use it. */
const operatorSchema = configSchema
  .pick({
    KAFKA_BROKERS: true,
    TOPIC_PREFIX: true,
    REDIS_URL: true,
    CACHE_REDIS_URL: true,
    REDIS_PREFIX: true,
    LOG_RETENTION_MS: true,
    API_KEYS_FILE: true,
    ASSISTANTS_DIR: true,
    WEBHOOK_ALLOW_HTTP: true,
    WEBHOOK_ALLOW_PRIVATE: true,
    TURNOUT_SECRET: true,
    BLOB_STORE: true,
    BLOB_DIR: true,
    S3_BUCKET: true,
    S3_PREFIX: true,
    S3_REGION: true,
    S3_ENDPOINT: true,
    S3_FORCE_PATH_STYLE: true,
    S3_ACCESS_KEY_ID: true,
    S3_SECRET_ACCESS_KEY: true,
    S3_SESSION_TOKEN: true,
  })
  .partial({ TURNOUT_SECRET: true });

export type OperatorSettings = Readonly<z.infer<typeof operatorSchema>>;

type Variables = Readonly<Record<string, string | undefined>>;

interface SettingsSources {
  shell: Variables;
  /** The repository's `.env`. */
  file: Variables;
  /** `.turnout/dev.env`: the addresses of the stack started by `make up`. */
  stack: Variables;
}

/**
 * The shell's variables override those in `.env`. The addresses of Kafka and Redis always come from one source (the shell, else
 * the running stack, else `.env`), so that two systems are never mixed. Throws a `ConfigError` that names every problem.
 */
export function operatorSettings({ shell, file, stack }: SettingsSources): OperatorSettings {
  const found = firstWithAddresses([
    ['the environment', shell],
    ['.turnout/dev.env', stack],
    ['.env', file],
  ]);
  const given = Object.entries(shell).filter(([, value]) => isSet(value));
  return parseSettings(operatorSchema, {
    ...file,
    ...(found['TURNOUT_SECRET'] && { TURNOUT_SECRET: found['TURNOUT_SECRET'] }), // the running stack's secret wins over `.env`
    ...Object.fromEntries(given),
    ...Object.fromEntries([...ADDRESSES, 'CACHE_REDIS_URL'].map((name) => [name, found[name]])),
  });
}

const ADDRESSES = ['KAFKA_BROKERS', 'REDIS_URL'] as const;

/**
 * The first source that sets either address; it must set both. The cache's address comes from the same source, if set there.
 * If no source sets an address, the defaults apply to all of them.
 */
function firstWithAddresses(sources: readonly (readonly [string, Variables])[]): Variables {
  const found = sources.find(([, variables]) => ADDRESSES.some((name) => isSet(variables[name])));
  if (!found) return {};
  const [where, variables] = found;
  const missing = ADDRESSES.filter((name) => !isSet(variables[name]));
  if (missing.length === 0) return variables;
  const named = ADDRESSES.filter((name) => isSet(variables[name]));
  throw new ConfigError([
    `${where} sets ${named.join()} but not ${missing.join()}: set both, for the same system`,
  ]);
}

function isSet(value: string | undefined): value is string {
  return value !== undefined && value !== '';
}
