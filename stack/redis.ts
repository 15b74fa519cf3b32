import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { StackError } from './errors.ts';
import type { Layout } from './layout.ts';
import type { ProcessSpec } from './process.ts';

export type RedisRole = 'redis' | 'cache-redis';

export interface RedisOptions {
  /** `redis` keeps jobs and must never lose or evict a key; `cache-redis` may lose everything. */
  readonly role: RedisRole;
  readonly server: string;
  readonly port: number;
  readonly password: string;
  /** Distinguishes several servers of the same role. Default: the role. */
  readonly name?: string;
  /** `REDIS_MAX_MEMORY`: the memory limit of the job Redis. */
  readonly maxMemory?: string | undefined;
  /** Additional settings. */
  readonly more?: readonly Setting[];
}

/** A Redis-compatible server on 127.0.0.1, protected by a password. */
export function prepareRedis(options: RedisOptions, layout: Layout): ProcessSpec {
  const { role, name = role, maxMemory, more = [] } = options;
  const data = join(layout.data, name);
  const config = join(layout.data, `${name}.conf`);
  mkdirSync(data, { recursive: true });
  // A file instead of arguments: arguments are visible in the process list, and the password is one of the settings.
  writeFileSync(config, configOf([...common(options, data), ...redisSettings(role, maxMemory), ...more]), {
    mode: 0o600,
  });
  const log = join(layout.logs, `${name}.log`);
  return {
    name,
    command: options.server,
    args: [config],
    env: {},
    configFiles: [config],
    workingFolder: data,
    port: options.port,
    health: { kind: 'redis', port: options.port, password: options.password },
    stdout: log,
    stderr: log,
    explainedBy: [log],
    startTimeoutMs: 30_000,
    stopTimeoutMs: 10_000,
  };
}

/** `address`: host and port. */
export function redisUrl(address: string, password: string): string {
  return `redis://:${password}@${address}`;
}

type Setting = readonly [name: string, value: string];

const common = (options: RedisOptions, data: string): Setting[] => [
  ['bind', '127.0.0.1'],
  ['port', String(options.port)],
  ['requirepass', options.password],
  ['dir', data],
  ['daemonize', 'no'],
];

/** Enough for some hours of a small installation. At 85 % of it, admission control refuses new jobs, so that open jobs can finish. */
export const DEFAULT_MAX_MEMORY = '2gb';

/** The syntax of redis.conf: bytes, or `512mb`, `4gb`. */
const MEMORY = /^[1-9]\d*(k|kb|m|mb|g|gb)?$/i;

/** Throws a `StackError` for a value that Redis would reject. */
export function readMaxMemory(value = DEFAULT_MAX_MEMORY): string {
  if (MEMORY.test(value)) return value;
  throw new StackError(`REDIS_MAX_MEMORY is not valid: "${value}". Use a size such as 512mb or 4gb.`);
}

/** The settings that each role requires, in every deployment. */
export function redisSettings(role: RedisRole, maxMemory?: string): readonly Setting[] {
  return role === 'redis' ? [...jobRedis, ['maxmemory', readMaxMemory(maxMemory)]] : cacheRedis;
}

const jobRedis: readonly Setting[] = [
  ['save', ''],
  ['maxmemory-policy', 'noeviction'],
  ['appendonly', 'yes'],
  // With `everysec`, a kill -9 on a slow disk lost acknowledged writes. `always` costs about 0.1 ms per write.
  ['appendfsync', 'always'],
];

const cacheRedis: readonly Setting[] = [
  ['save', ''],
  ['appendonly', 'no'],
  ['maxmemory', '128mb'],
  // If the cache's own limits are not enough, Redis evicts entries but not their bookkeeping: only entries have an expiry.
  ['maxmemory-policy', 'volatile-lru'],
];

function configOf(settings: readonly Setting[]): string {
  return settings.map(([name, value]) => `${name} "${value.replace(/["\\]/g, '\\$&')}"\n`).join('');
}
