import { readFileSync } from 'node:fs';
import { Cluster } from 'ioredis';
import { z } from 'zod';
import { type Redis } from './connect.ts';

type Argument = string | number | Buffer;

export interface Script {
  (keys: readonly string[], args: readonly Argument[]): Promise<unknown>;
  /** The same, with every text of the reply as the bytes that it is. */
  raw(keys: readonly string[], args: readonly Argument[]): Promise<unknown>;
}

/**
 * A Lua file beside its TypeScript, called by its SHA and loaded on first use (ioredis). `prelude` files go before it:
 * Redis has no include.
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
    if (!run) throw new Error(`${command} was not defined`);
    return run.call(redis, keys.length, ...keys, ...args);
  };
}

/** ioredis has no type for what `defineCommand` keeps. */
const definedScripts = z.record(z.string(), z.looseObject({ lua: z.string() }));

/**
 * Loads every script that this connection knows into its servers. ioredis does that by itself for single commands, but not for those in
 * a MULTI: after a `SCRIPT FLUSH` or a failover they would fail with NOSCRIPT for as long as the connection lives.
 */
export async function reloadScripts(redis: Redis): Promise<void> {
  const scripts = Object.values(definedScripts.parse({ ...redis.scriptsSet }));
  const servers = redis instanceof Cluster ? redis.nodes('master') : [redis];
  const loads = servers.flatMap((server) => scripts.map(({ lua }) => server.script('LOAD', lua)));
  await Promise.all(loads);
}
