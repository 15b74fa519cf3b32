import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseConfig } from '../../shared/platform/config/load.ts';
import { repositoryRoot } from '../layout.ts';
import { litellmConfig, providerVariables, usesSimulator } from '../litellm-config.ts';
import { loadSecrets, writeApiKeys } from '../secrets.ts';
import { omit, type Settings, variablesOf } from '../settings.ts';

interface Places {
  /** The folder of LiteLLM's included files, relative to the folder that is written to. */
  fragments: string;
  simulatorUrl: string;
}

/** Variables that docker-compose.yml sets. Their values in `.env` are meant for `make up` and are ignored. */
const OF_THE_CONTAINER: readonly string[] = [
  'HOST',
  'PORT',
  'LOG_FILE',
  'KAFKA_BROKERS',
  'REDIS_URL',
  'CACHE_REDIS_URL',
  'LITELLM_URL',
  'API_KEYS_FILE',
  'BLOB_DIR',
  'ASSISTANTS_DIR',
  'POLICY_FILE',
];

/** Variables that the services do not use. */
const NOT_FOR_SERVICES: readonly string[] = [
  ...providerVariables,
  'TURNOUT_CACHE_DIR',
  'TURNOUT_MODEL',
  'TURNOUT_SIMULATOR',
];

/** A trial has no users to migrate. */
const EVERYONE_ON_LITELLM = '3';

/**
 * Writes `.env` for the services (secrets, and the settings from `env` that they know), `api-keys.json`, `litellm.yaml`,
 * `litellm-master-key`, and `client.env` for clients. Returns the file names. Throws `ConfigError` or `StackError` for invalid
 * settings, before it writes any file except that of the generated secrets.
 */
export function prepareContainers(
  folder: string,
  env: Readonly<NodeJS.Dict<string>>,
  { fragments, simulatorUrl }: Places,
): string[] {
  const settings = settingsIn(env);
  const models = litellmConfig(settings, fragments);
  const secrets = loadSecrets({ state: folder });
  const masterKey = settings['LITELLM_MASTER_KEY'] ?? secrets.litellmMasterKey;
  const forServices: Settings = {
    TURNOUT_SECRET: secrets.turnoutSecret,
    TURNOUT_ADMIN_KEY: secrets.adminKey,
    MIGRATION_PHASE: EVERYONE_ON_LITELLM,
    ...(usesSimulator(settings) ? simulated(simulatorUrl) : {}),
    ...omit(settings, NOT_FOR_SERVICES),
    LITELLM_MASTER_KEY: masterKey,
  };
  parseConfig(forServices);
  writeApiKeys(secrets, { state: folder });
  const files: Record<string, string> = {
    '.env': linesOf(forServices),
    'client.env': linesOf({
      TURNOUT_API_KEY: secrets.apiKey,
      TURNOUT_API_KEY_2: secrets.apiKey2,
      TURNOUT_ADMIN_KEY: forServices['TURNOUT_ADMIN_KEY'] ?? '',
    }),
    'litellm.yaml': models,
    'litellm-master-key': masterKey,
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text, { mode: 0o600 });
  return ['api-keys.json', ...Object.keys(files)];
}

/** The settings that `.env.example` lists. Empty values count as not set. */
function settingsIn(env: Readonly<NodeJS.Dict<string>>): Settings {
  const example = readFileSync(join(repositoryRoot, '.env.example'), 'utf8');
  const known = variablesOf(example).filter((name) => !OF_THE_CONTAINER.includes(name));
  return Object.fromEntries(known.flatMap((name) => (env[name] ? [[name, env[name]]] : [])));
}

function simulated(url: string): Settings {
  return {
    LEGACY_BASE_URL: `${url}/v1`,
    LEGACY_API_KEY: 'simulator',
    ASSISTANT_DEFAULT_MODEL: 'turnout-sim',
  };
}

/** Lines that `util.parseEnv` can read: each value is in a kind of quotes that it does not contain. */
function linesOf(settings: Settings): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${quoted(value)}\n`)
    .join('');
}

function quoted(value: string): string {
  const quote = ["'", '"', '`'].find((mark) => !value.includes(mark));
  if (quote === undefined) throw new Error('cannot write a value that contains all three kinds of quotes');
  return `${quote}${value}${quote}`;
}
