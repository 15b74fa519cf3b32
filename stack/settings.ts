import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readEnvFile } from './env-file.ts';
import { repositoryRoot } from './layout.ts';
import { providerVariables } from './litellm-config.ts';

export type Settings = Readonly<Record<string, string>>;

/** What the stack itself decides, so that a shell which has read `.turnout/dev.env` cannot change it by accident. Only `.env` can. */
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
  // Calls with these cost money: a key that happens to be in the shell is not a wish to use it.
  ...providerVariables,
]);

/**
 * `.env` and the flags that the shell sets (`ENABLE_LITELLM=false make up`), the shell's winning. `say` hears of each line of `.env`
 * that has no effect.
 */
export function readSettings(shell: NodeJS.ProcessEnv, say: (line: string) => void): Settings {
  const file = join(repositoryRoot, '.env');
  const known = variablesOf(readFileSync(join(repositoryRoot, '.env.example'), 'utf8'));
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const { settings, problems } = readEnvFile(text, new Set([...known, ...providerVariables]));
  for (const { line, message } of problems) say(`.env line ${line}: ${message}`);
  return mergeSettings(settings, shell, known);
}

/** Empty values count as not set. Of the shell only flags named in `known` are taken, and none that the stack manages. */
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

/** The variables that an example file names, set or commented out. */
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
