import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { messageOf, StackError } from '../errors.ts';
import { type JarLock, type LockedJar, parseJarLock, sha256Of, verifyJar } from './jar-lock.ts';
import { ensureVenv, type InstallContext, pythonOf } from './python.ts';
import { run } from './run.ts';

const lockFile = join(import.meta.dirname, 'kafka.lock.json');
const PARALLEL = 6;
const TRIES = 4;

/** Downloads the locked jars that are missing, verifies all of them, and returns their folder. */
export async function ensureKafkaJars(context: InstallContext): Promise<string> {
  const text = readFileSync(lockFile, 'utf8');
  const folder = join(context.cache, `kafka-${sha256Of(text).slice(0, 12)}`);
  mkdirSync(folder, { recursive: true });
  const lock = parseJarLock(text);
  const missing = lock.jars.filter((jar) => !isThere(jar, folder));
  if (missing.length > 0) await fetchAll(missing, folder, context);
  refuseStrangers(folder, lock);
  return folder;
}

const fileOf = (jar: LockedJar, folder: string): string => join(folder, basename(jar.path));

/** True if the file exists and is the locked one. Throws if it exists and is a different one. */
export function isThere(jar: LockedJar, folder: string): boolean {
  const file = fileOf(jar, folder);
  if (!existsSync(file)) return false;
  verifyJar(jar, readFileSync(file));
  return true;
}

/** The whole folder is on the class path, so it must contain no other jars. */
function refuseStrangers(folder: string, lock: JarLock): void {
  const known = new Set(lock.jars.map((jar) => basename(jar.path)));
  const strange = readdirSync(folder).filter((name) => name.endsWith('.jar') && !known.has(name));
  if (strange.length > 0)
    throw new StackError(
      `${folder} contains jars that are not in the lock: ${strange.join(', ')}. Remove them.`,
    );
}

async function fetchAll(jars: readonly LockedJar[], folder: string, context: InstallContext): Promise<void> {
  const repository = await repositoryUrl(context);
  const megabytes = Math.ceil(jars.reduce((sum, jar) => sum + jar.bytes, 0) / 1e6);
  context.say(`kafka: fetching ${jars.length} jars, ${megabytes} MB`);
  const queue = [...jars];
  let done = 0;
  const work = async (): Promise<void> => {
    for (let jar = queue.shift(); jar !== undefined; jar = queue.shift()) {
      await fetchJar(jar, { folder, repository });
      done += 1;
      if (done % 10 === 0 || done === jars.length)
        context.say(`kafka: ${done} of ${jars.length} jars fetched and verified`);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, work));
}

/** The source of the jars: `TURNOUT_MAVEN_URL` (a mirror), else Maven Central, at the address that the Maven client jgo has. */
async function repositoryUrl(context: InstallContext): Promise<string> {
  const mirror = process.env['TURNOUT_MAVEN_URL'];
  if (mirror !== undefined && mirror !== '') return mirror;
  const venv = await ensureVenv('jars', ['jars'], context);
  return run(pythonOf(venv), ['-c', 'from jgo.constants import MAVEN_CENTRAL_URL; print(MAVEN_CENTRAL_URL)']);
}

interface Source {
  readonly folder: string;
  readonly repository: string;
}

async function fetchJar(jar: LockedJar, source: Source): Promise<void> {
  const content = await download(`${source.repository.replace(/\/$/, '')}/${jar.path}`);
  verifyJar(jar, content);
  const file = fileOf(jar, source.folder);
  writeFileSync(`${file}.${process.pid}`, content);
  renameSync(`${file}.${process.pid}`, file);
}

async function download(url: string, tries = TRIES): Promise<Buffer> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(120_000) });
    if (!response.ok) throw new StackError(`HTTP status ${response.status}`);
    return Buffer.from(await response.arrayBuffer());
  } catch (error) {
    if (tries > 1) return download(url, tries - 1);
    throw new StackError(
      `Cannot download ${url}: ${messageOf(error)}. Set TURNOUT_MAVEN_URL to use a mirror.`,
      { cause: error },
    );
  }
}
