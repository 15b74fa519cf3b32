import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { until } from '../../../stack/until.ts';
import { readAssistants } from './read-folder.ts';
import { type AssistantRegistry, openAssistants } from './registry.ts';

let folder: string;
let registry: AssistantRegistry<string[]> | undefined;
let lines: string[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'turnout-assistants-'));
  lines = [];
});

afterEach(async () => {
  await registry?.close();
  registry = undefined;
  await rm(folder, { recursive: true });
});

async function open(path = folder): Promise<AssistantRegistry<string[]>> {
  registry = await openAssistants({
    folder: path,
    sources: ['wiki'],
    build: (assistants) => assistants.map(({ name }) => name),
    log: pino({ level: 'error' }, { write: (line) => void lines.push(line) }),
    everyMs: 5,
  });
  return registry;
}

/** Writes atomically, since the registry would also read a half-written file. */
async function put(file: string, yaml: string): Promise<void> {
  const draft = join(folder, '.draft');
  await writeFile(draft, yaml);
  await rename(draft, join(folder, file));
}

const named = (name: string, more = '') => `{ name: ${name}, description: d, instructions: i${more} }`;

test('the YAML files of a folder are read, and assistants are sorted by name', async () => {
  await put('1.yaml', named('b'));
  await put('2.yml', named('a'));
  await put('notes.txt', 'no YAML: [');
  await put('.hidden.yaml', 'no YAML: [');
  expect((await open()).current()).toEqual(['a', 'b']);
});

test('an empty or missing folder has no assistants', async () => {
  expect((await open()).current()).toEqual([]);
  await registry?.close();
  expect((await open(join(folder, 'none'))).current()).toEqual([]);
});

test('an invalid folder stops the start, and all problems are reported', async () => {
  await put('a.yaml', named('a'));
  await put('b.yaml', named('B'));
  await put('c.yaml', '{ name: c }');
  await expect(open()).rejects.toMatchObject({
    problems: [
      expect.stringMatching(/^ASSISTANTS_DIR: b.yaml: name: /),
      expect.stringMatching(/^ASSISTANTS_DIR: c.yaml: description: /),
      expect.stringMatching(/^ASSISTANTS_DIR: c.yaml: instructions: /),
    ],
  });
});

test('changes are read without a restart; an invalid change has no effect and is logged once', async () => {
  const opened = await open();
  const current = () => opened.current();
  await put('a.yaml', named('a'));
  expect(await until(() => Promise.resolve(current().includes('a')), { timeoutMs: 5_000 })).toBe(true);

  await put('b.yaml', 'name: [');
  expect(await until(() => Promise.resolve(lines.length > 0), { timeoutMs: 5_000 })).toBe(true);
  expect(current()).toEqual(['a']);
  expect(lines.join('')).toContain('b.yaml');

  await put('b.yaml', named('b'));
  expect(await until(() => Promise.resolve(current().length === 2), { timeoutMs: 5_000 })).toBe(true);
  expect(lines).toHaveLength(1);
});

test('a mounted config map is read again when its symbolic link changes', async () => {
  for (const [at, name] of ['old', 'new'].entries()) {
    await mkdir(join(folder, `..${at}`));
    await writeFile(join(folder, `..${at}/a.yaml`), named(name));
  }
  await symlink('..0', join(folder, '..data'));
  await symlink(join('..data', 'a.yaml'), join(folder, 'a.yaml'));
  const opened = await open();
  const current = () => opened.current();
  expect(current()).toEqual(['old']);

  await symlink('..1', join(folder, '..next'));
  await rename(join(folder, '..next'), join(folder, '..data'));
  expect(await until(() => Promise.resolve(current()[0] === 'new'), { timeoutMs: 5_000 })).toBe(true);
});

test('a duplicate name and a second default are reported with both files', () => {
  const { assistants, problems } = readAssistants([
    { name: 'a.yaml', text: named('a', ', default: true') },
    { name: 'b.yaml', text: named('a', ', default: true') },
  ]);
  expect(assistants).toEqual([]);
  expect(problems).toEqual([
    "b.yaml: name: 'a' is already used in a.yaml",
    'b.yaml: default: a.yaml already has the default assistant',
  ]);
});

test('an unknown retrieval service is reported with its file and position', async () => {
  await put('a.yaml', named('a', ', sources: [wiki]'));
  expect((await open()).current()).toEqual(['a']);
  await registry?.close();
  await put('a.yaml', named('a', ', sources: [wiki, wkii]'));
  await expect(open()).rejects.toThrow(
    "ASSISTANTS_DIR: a.yaml: sources[1]: 'wkii' is not in RETRIEVAL_SOURCES",
  );
});
