import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, StackError } from '../../stack/errors.ts';
import { sha256 } from '../../stack/install/jar-lock.ts';
import { type InstallContext } from '../../stack/install/python.ts';

/** XQuAD's English part (Artetxe, Ruder and Yogatama 2020), CC BY-SA 4.0: 240 paragraphs of 48 articles, 1,190 questions. */
export const XQUAD = {
  url: 'https://raw.githubusercontent.com/google-deepmind/xquad/7d30520c717524000f0d9d2f9c10a069acd9d285/xquad.en.json',
  sha256: 'e4c57d1c9143aaa1c5d265ba5987a65f4e69528d2a98f29d6e75019b10344f29',
} as const;

const TIMEOUT_MS = 60_000;

/** A file that is published at one place, and is known by its hash. */
interface Published {
  url: string;
  sha256: string;
}

/** The text of a published file: of the cache, else fetched and kept there. Throws when it is not what was published. */
export async function readPublished(
  { url, sha256: expected }: Published,
  { cache, say }: InstallContext,
): Promise<string> {
  const file = join(cache, `${expected.slice(0, 12)}-${url.slice(url.lastIndexOf('/') + 1)}`);
  if (existsSync(file)) return verified(readFileSync(file), expected, file);
  say(`fetching ${url}`);
  const text = verified(await fetched(url), expected, url);
  writeFileSync(`${file}.${process.pid}`, text);
  renameSync(`${file}.${process.pid}`, file);
  return text;
}

function verified(content: Buffer, expected: string, where: string): string {
  if (sha256(content) === expected) return content.toString('utf8');
  throw new StackError(`${where} is not the file that was published: its SHA-256 is not ${expected}.`);
}

async function fetched(url: string): Promise<Buffer> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (!response.ok) throw new Error(`it answers ${response.status}`);
    return Buffer.from(await response.arrayBuffer());
  } catch (error) {
    const help =
      'Where this machine cannot reach it: make retrieval-eval DATA=file, with a copy of that file.';
    throw new StackError(`${url} could not be fetched: ${messageOf(error)}. ${help}`, { cause: error });
  }
}
