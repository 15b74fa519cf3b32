import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { markOf } from '../../platform/config/keep-in-step.ts';
import { type Assistant, readAssistant } from './assistant-file.ts';

export interface NamedFile {
  /** The file name without the folder. */
  name: string;
  text: string;
}

/** The assistants, sorted by name. If any file has a problem, all problems and no assistants. */
export interface ReadAssistants {
  assistants: readonly Assistant[];
  /** One line for each problem: file, field and description. */
  problems: readonly string[];
}

/**
 * Reads all files together: names must be unique, and at most one assistant may be the default. `sources`: the configured retrieval
 * services; undefined: not checked.
 */
export function readAssistants(files: readonly NamedFile[], sources?: readonly string[]): ReadAssistants {
  const assistants: Assistant[] = [];
  const problems: string[] = [];
  const fileOf = new Map<string, string>();
  let defaultIn: string | undefined;
  for (const { name: file, text } of files) {
    const read = readAssistant(text);
    if (!('name' in read)) {
      problems.push(...read.map((problem) => `${file}: ${problem}`));
      continue;
    }
    const taken = fileOf.get(read.name);
    if (taken !== undefined) problems.push(`${file}: name: '${read.name}' is already used in ${taken}`);
    if (read.default && defaultIn !== undefined)
      problems.push(`${file}: default: ${defaultIn} already has the default assistant`);
    if (read.default) defaultIn ??= file;
    for (const [at, source] of read.sources.entries())
      if (sources && !sources.includes(source))
        problems.push(`${file}: sources[${at}]: '${source}' is not in RETRIEVAL_SOURCES`);
    fileOf.set(read.name, taken ?? file);
    assistants.push(read);
  }
  if (problems.length > 0) return { assistants: [], problems };
  return { assistants: assistants.sort((a, b) => (a.name < b.name ? -1 : 1)), problems };
}

/** The folder's YAML files, sorted by name. A missing folder counts as empty. */
export async function readFolder(folder: string): Promise<NamedFile[]> {
  const names = await yamlFilesIn(folder);
  return Promise.all(names.map(async (name) => ({ name, text: await readFile(join(folder, name), 'utf8') })));
}

/** Changes whenever a file changes. */
export async function fingerprint(folder: string): Promise<string> {
  const names = await yamlFilesIn(folder);
  const marks = await Promise.all(names.map(async (name) => markOf(name, await stat(join(folder, name)))));
  return marks.join('\n');
}

/** Skips names that begin with a dot: they belong to editors, or to Kubernetes in a mounted config map. */
async function yamlFilesIn(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  });
  return names.filter((name) => /^[^.].*\.ya?ml$/.test(name)).sort();
}
