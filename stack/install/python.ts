import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { StackError } from '../errors.ts';
import { sha256Of } from './jar-lock.ts';
import { once } from './once.ts';
import { run } from './run.ts';

export interface InstallContext {
  /** The folder for downloads and Python environments. */
  readonly cache: string;
  readonly say: (line: string) => void;
}

interface Python {
  readonly command: string;
  readonly version: string;
}

const SUPPORTED = ['3.10', '3.11', '3.12', '3.13'];
const CANDIDATES = ['python3', 'python3.13', 'python3.12', 'python3.11', 'python3.10'];
const requirementsFolder = join(import.meta.dirname, '..', 'requirements');

/** A file of `stack/requirements`, without its extension. */
export type Requirements =
  'litellm' | 'java' | 'redis' | 'jars' | 'openai' | 's3' | 'embeddings' | 'cfn-lint';

/**
 * Installs hash-pinned requirements into a Python environment of their own, once for each version of the lock files, and returns the
 * environment's folder. pip refuses packages that do not match the committed hashes.
 */
export async function ensureVenv(
  name: string,
  requirements: readonly Requirements[],
  context: InstallContext,
): Promise<string> {
  const files = requirements.map((file) => join(requirementsFolder, `${file}.txt`));
  const texts = files.map((file) => readFileSync(file, 'utf8'));
  const python = findPython();
  const folder = join(
    context.cache,
    `venv-${name}-${sha256Of([python.version, ...texts].join('\n')).slice(0, 12)}`,
  );
  await once(folder, async () => {
    context.say(`${name}: creating a Python ${python.version} environment`);
    await run(python.command, ['-m', 'venv', folder]);
    await pipInstall(folder, files, { ...context, total: countPackages(texts), name });
  });
  return folder;
}

interface Progress extends InstallContext {
  readonly name: string;
  readonly total: number;
}

const SAID_EVERY = 20;

async function pipInstall(folder: string, files: readonly string[], progress: Progress): Promise<void> {
  let collected = 0;
  const onLine = (line: string): void => {
    if (line.startsWith('Installing collected'))
      progress.say(`${progress.name}: installing ${collected} packages`);
    if (!line.startsWith('Collecting ')) return;
    collected += 1;
    if (collected % SAID_EVERY === 0)
      progress.say(`${progress.name}: ${collected} of up to ${progress.total} packages fetched and verified`);
  };
  // The lock files are complete. --no-deps makes sure that only pinned packages are installed.
  const options = [
    '--no-deps',
    '--require-hashes',
    '--only-binary',
    ':all:',
    '--progress-bar',
    'off',
    '--no-input',
  ];
  const pip = ['-m', 'pip', '--disable-pip-version-check', 'install', ...options];
  await run(pythonOf(folder), [...pip, ...files.flatMap((file) => ['-r', file])], { onLine });
}

export function pythonOf(venv: string): string {
  return join(venv, 'bin', 'python');
}

/** Counts the packages in requirement files: lines that start with a name. */
export function countPackages(texts: readonly string[]): number {
  return texts
    .join('\n')
    .split('\n')
    .filter((line) => /^[a-z0-9]/i.test(line)).length;
}

let chosenPython: Python | undefined;

/** The first interpreter that can run LiteLLM and create virtual environments. */
function findPython(): Python {
  chosenPython ??= choosePython(process.env['TURNOUT_PYTHON']);
  return chosenPython;
}

function choosePython(preference: string | undefined): Python {
  const tooOldOrNew: string[] = [];
  for (const command of preference === undefined || preference === '' ? CANDIDATES : [preference]) {
    const found = probe(command);
    if (found === undefined) continue;
    if (!SUPPORTED.includes(found.version)) tooOldOrNew.push(found.version);
    else if (found.hasVenv) return found;
    else throw new StackError(noVenv(found));
  }
  throw new StackError(noPython(tooOldOrNew));
}

const PROBE = `
import sys, importlib.util as u
print("%d.%d" % sys.version_info[:2], all(map(u.find_spec, ["venv", "ensurepip"])))
`;

function probe(command: string): (Python & { hasVenv: boolean }) | undefined {
  try {
    const output = execFileSync(command, ['-c', PROBE], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const [version = '', hasVenv] = output.trim().split(' ');
    return { command, version, hasVenv: hasVenv === 'True' };
  } catch {
    return undefined; // Not installed.
  }
}

function noVenv({ command, version }: Python): string {
  return (
    `${command} is Python ${version}, but its modules venv and ensurepip are missing. ` +
    'On Debian and Ubuntu, run: apt-get install python3-venv python3-pip'
  );
}

function noPython(versions: readonly string[]): string {
  const found = versions.length === 0 ? 'no Python was found' : `only ${versions.join(', ')} was found`;
  return (
    `LiteLLM needs Python ${SUPPORTED.join(', ')} with venv, but ${found}. ` +
    'On Debian and Ubuntu, run: apt-get install python3 python3-venv python3-pip. Set TURNOUT_PYTHON to use another interpreter.'
  );
}
