import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, StackError } from '../stack/errors.ts';
import { sha256Of } from '../stack/install/jar-lock.ts';
import { type InstallContext } from '../stack/install/python.ts';

const TIMEOUT_MS = 60_000;

/** A published file, identified by its hash. */
export interface Published {
  url: string;
  sha256: string;
  /** The command that accepts a local copy instead: `make NAME DATA=file`. */
  command: string;
}

/** The data of a command: the given file, else the published one. */
export function readData(
  given: string | undefined,
  published: Published,
  context: InstallContext,
): string | Promise<string> {
  return given === undefined ? readPublished(published, context) : readFileSync(given, 'utf8');
}

/** The text of a published file, from the cache, else downloaded and cached. Throws if its hash is wrong. */
export async function readPublished(
  { url, sha256: expected, command }: Published,
  { cache, say }: InstallContext,
): Promise<string> {
  mkdirSync(cache, { recursive: true });
  const file = join(cache, `${expected.slice(0, 12)}-${url.slice(url.lastIndexOf('/') + 1)}`);
  if (existsSync(file)) return verified(readFileSync(file), expected, file);
  say(`downloading ${url}`);
  const text = verified(await fetched(url, command), expected, url);
  writeFileSync(`${file}.${process.pid}`, text);
  renameSync(`${file}.${process.pid}`, file);
  return text;
}

function verified(content: Buffer, expected: string, where: string): string {
  if (sha256Of(content) === expected) return content.toString('utf8');
  throw new StackError(`${where} is not the published file: its SHA-256 is not ${expected}.`);
}

async function fetched(url: string, command: string): Promise<Buffer> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (!response.ok) throw new Error(`HTTP status ${response.status}`);
    return Buffer.from(await response.arrayBuffer());
  } catch (error) {
    const help = `If this machine cannot reach it, copy the file to this machine and run: ${command} DATA=file`;
    throw new StackError(`Cannot download ${url}: ${messageOf(error)}. ${help}`, { cause: error });
  }
}
