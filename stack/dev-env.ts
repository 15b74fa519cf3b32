import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Layout } from './layout.ts';
import type { Secrets } from './secrets.ts';

/** The addresses and keys that clients and operators of the running stack need. */
export type DevEnv = Readonly<Record<(typeof NAMES)[number], string>>;

const NAMES = [
  'TURNOUT_URL',
  'TURNOUT_API_KEY',
  'TURNOUT_API_KEY_2',
  'TURNOUT_ADMIN_KEY',
  'TURNOUT_SECRET',
  'METRICS_URL',
  'CACHE_URL',
  'LITELLM_URL',
  'LITELLM_MASTER_KEY',
  'KAFKA_BROKERS',
  'REDIS_URL',
  'CACHE_REDIS_URL',
  'UPSTREAM_URL',
] as const;

export interface DevEnvOptions {
  readonly ports: Readonly<Record<'ingress' | 'metrics' | 'cache' | 'upstream', number>>;
  readonly secrets: Secrets;
  /** The variables that the services were started with. */
  readonly env: Readonly<Record<string, string>>;
  readonly simulated: boolean;
}

export function devEnv({ ports, secrets, env, simulated }: DevEnvOptions): DevEnv {
  const of = (name: string): string => env[name] ?? '';
  return {
    TURNOUT_URL: `http://127.0.0.1:${ports.ingress}`,
    TURNOUT_API_KEY: secrets.apiKey,
    TURNOUT_API_KEY_2: secrets.apiKey2,
    TURNOUT_ADMIN_KEY: of('TURNOUT_ADMIN_KEY'),
    TURNOUT_SECRET: of('TURNOUT_SECRET'),
    METRICS_URL: `http://127.0.0.1:${ports.metrics}`,
    CACHE_URL: `http://127.0.0.1:${ports.cache}`,
    LITELLM_URL: of('LITELLM_URL'),
    LITELLM_MASTER_KEY: of('LITELLM_MASTER_KEY'),
    KAFKA_BROKERS: of('KAFKA_BROKERS'),
    REDIS_URL: of('REDIS_URL'),
    CACHE_REDIS_URL: of('CACHE_REDIS_URL'),
    UPSTREAM_URL: simulated ? `http://127.0.0.1:${ports.upstream}` : '',
  };
}

/** Writes a file for `. FILE` in a shell, or for `--env-file`. Only its owner can read it. Returns its path. */
export function writeDevEnv(env: DevEnv, layout: Layout): string {
  const file = join(layout.state, 'dev.env');
  writeFileSync(file, NAMES.map((name) => `${name}=${env[name]}\n`).join(''), { mode: 0o600 });
  return file;
}
