import { readFileSync } from 'node:fs';
import { Cluster } from 'ioredis';
import { z } from 'zod';
import { type Redis } from './connect.ts';

type Argument = string | number | Buffer;

export interface Script {
  (keys: readonly string[], args: readonly Argument[]): Promise<unknown>;
  /** The same, but returns the texts of the reply as buffers. */
  raw(keys: readonly string[], args: readonly Argument[]): Promise<unknown>;
}

/**
 * Defines a command from a Lua file. ioredis calls it by its SHA and loads it on first use. The `prelude` files are prepended, because
 * Redis scripts have no include.
 */
export function defineScript(redis: Redis, file: URL, prelude: readonly URL[] = []): Script {
  const lua = [...prelude, file].map((url) => readFileSync(url, 'utf8')).join('\n');
  const command = file.pathname.replaceAll(/[^A-Za-z0-9]/g, '_');
  redis.defineCommand(command, { lua });
  return Object.assign(callerOf(redis, command), { raw: callerOf(redis, `${command}Buffer`) });
}

function callerOf(redis: Redis, command: string) {
  const commands = redis as unknown as Record<
    string,
    ((...args: Argument[]) => Promise<unknown>) | undefined
  >;
  return async (keys: readonly string[], args: readonly Argument[]): Promise<unknown> => {
    const run = commands[command];
    if (!run) throw new Error(`Redis script ${command} is not defined`);
    return run.call(redis, keys.length, ...keys, ...args);
  };
}

/** The scripts stored by `defineCommand`; ioredis has no type for them. */
const definedScripts = z.record(z.string(), z.looseObject({ lua: z.string() }));

/**
 * Loads all scripts of this connection into its servers. ioredis reloads a missing script automatically, but not inside a MULTI: after a
 * `SCRIPT FLUSH` or a failover, such calls would fail with NOSCRIPT until the connection is closed.
 */
export async function reloadScripts(redis: Redis): Promise<void> {
  const scripts = Object.values(definedScripts.parse({ ...redis.scriptsSet }));
  const servers = redis instanceof Cluster ? redis.nodes('master') : [redis];
  const loads = servers.flatMap((server) => scripts.map(({ lua }) => server.script('LOAD', lua)));
  await Promise.all(loads);
}
