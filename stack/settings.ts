import { deprecatedSettings } from '../shared/platform/config/load.ts';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readEnvFile } from './env-file.ts';
import { repositoryRoot } from './layout.ts';
import { providerVariables } from './litellm-config.ts';

export type Settings = Readonly<Record<string, string>>;

/**
 * Variables that the stack sets itself. `.env` can override them, but the shell cannot: a shell that has sourced `.turnout/dev.env`
 * would change them by accident.
 */
const MANAGED = new Set([
  'HOST',
  'PORT',
  'LOG_FILE',
  'KAFKA_BROKERS',
  'REDIS_URL',
  'CACHE_REDIS_URL',
  'LITELLM_URL',
  'LITELLM_MASTER_KEY',
  'LEGACY_BASE_URL',
  'LEGACY_API_KEY',
  'LEGACY_STYLE',
  'LEGACY_API_VERSION',
  'TURNOUT_SECRET',
  'TURNOUT_ADMIN_KEY',
  'API_KEYS_FILE',
  'BLOB_DIR',
  // Calls with these keys cost money, so a key that happens to be in the shell is not used.
  ...providerVariables,
]);

/**
 * Reads `.env` and the flags that the shell sets (`ENABLE_LITELLM=false make up`). The shell's flags override `.env`. `say` gets a
 * warning for each problem in `.env`.
 */
export function readSettings(shell: NodeJS.ProcessEnv, say: (line: string) => void): Settings {
  const file = join(repositoryRoot, '.env');
  const known = variablesOf(readFileSync(join(repositoryRoot, '.env.example'), 'utf8'));
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const { settings, problems } = readEnvFile(
    text,
    new Set([...known, ...providerVariables, ...Object.keys(deprecatedSettings)]),
  );
  for (const { line, message } of problems) say(`.env line ${line}: ${message}`);
  return mergeSettings(settings, shell, known);
}

/** Empty values count as not set. From the shell, only flags in `known` that the stack does not manage are used. */
export function mergeSettings(
  file: NodeJS.Dict<string>,
  shell: NodeJS.Dict<string>,
  known: readonly string[],
): Settings {
  const flags = known.filter((name) => !MANAGED.has(name)).map((name) => [name, shell[name]] as const);
  const given = [...Object.entries(file), ...flags].flatMap(([name, value]) =>
    value === undefined || value === '' ? [] : [[name, value] as const],
  );
  return Object.fromEntries(given);
}

/** The variables in an example file, whether set or commented out. */
export function variablesOf(example: string): string[] {
  return [...example.matchAll(/^#?\s?([A-Z][A-Z0-9_]*)=/gm)].flatMap((match) => match[1] ?? []);
}

export function pick(settings: Settings, names: readonly string[]): Settings {
  return Object.fromEntries(
    names.flatMap((name) => (settings[name] === undefined ? [] : [[name, settings[name]]])),
  );
}

export function omit(settings: Settings, names: readonly string[]): Settings {
  return Object.fromEntries(Object.entries(settings).filter(([name]) => !names.includes(name)));
}
