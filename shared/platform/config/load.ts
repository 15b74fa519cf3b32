import { existsSync, readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { type z } from 'zod';
import { checkTogether } from './check-together.ts';
import { type Config, configSchema } from './schema.ts';

/** The configuration is not valid. `problems` has one line for each bad variable. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`The configuration is not valid:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
    this.problems = problems;
  }
}

/** Old names of settings. Each works until two minor versions after the release that replaced it. */
export const deprecatedSettings: Readonly<Record<string, string>> = {
  UNREACHABLE_PATIENCE_MS: 'UNREACHABLE_GRACE_MS',
};

type Variables = Readonly<Record<string, string | undefined>>;

/** Parses and checks the environment. An empty variable counts as not set. Throws one `ConfigError` that names every problem. */
export function parseConfig(env: Variables): Config {
  const config = parseSettings(configSchema, withCurrentNames(env));
  const problems = checkTogether(config);
  if (problems.length > 0) throw new ConfigError(problems);
  return config;
}

/** Moves the value of an old name to the current name, unless that one is set. */
function withCurrentNames(env: Variables): Variables {
  const given = { ...env };
  for (const [old, current] of Object.entries(deprecatedSettings)) given[current] ||= env[old];
  return given;
}

/** The same for programs that need only a part of the configuration. */
export function parseSettings<T>(schema: z.ZodType<T>, env: Variables): Readonly<T> {
  const given = Object.fromEntries(
    Object.entries(env).filter(([, value]) => value !== undefined && value !== ''),
  );
  const result = schema.safeParse(given);
  if (!result.success) throw new ConfigError(result.error.issues.map((issue) => describe(issue, given)));
  return Object.freeze(result.data);
}

/** Loads the configuration from the environment and from a `.env` file in the working folder, if any. The environment wins. */
export function loadConfig(file = '.env'): Config {
  const fromFile = existsSync(file) ? parseEnv(readFileSync(file, 'utf8')) : {};
  return parseConfig({ ...fromFile, ...process.env });
}

const SECRET = /KEY|SECRET|PASSWORD|_URL$|RETRIEVAL_SOURCES/;

/** Describes a problem. A value inside a variable is named by its path: `RETRIEVAL_SOURCES[0].url`. Secrets are not shown. */
function describe(issue: z.core.$ZodIssue, given: Record<string, unknown>): string {
  const [variable = '', ...inside] = issue.path.map(String);
  if (!(variable in given)) return `${variable} is required and not set`;
  if (inside.length > 0) return `${variable}${inside.map(step).join('')} is not valid: ${issue.message}`;
  const shown = SECRET.test(variable) ? 'its value' : JSON.stringify(given[variable]);
  return `${variable}: ${shown} is not valid: ${issue.message}`;
}

function step(key: string): string {
  return /^\d+$/.test(key) ? `[${key}]` : `.${key}`;
}
