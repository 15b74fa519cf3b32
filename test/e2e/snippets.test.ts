import { execFile } from 'node:child_process';
import { cpSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { ensureVenv, pythonOf } from '../../stack/install/python.ts';
import { cacheFolder, repositoryRoot } from '../../stack/layout.ts';
import { testEnv } from '../harness/env.ts';
import { type RunningServices, startServices } from '../harness/services.ts';

/** Runs the code blocks of the README, the guides and the concepts, page by page, as a reader pastes them. */
jest.setTimeout(120_000);

interface Snippet {
  page: string;
  language: 'sh' | 'python' | 'js';
  code: string;
}

/** Blocks that need what a test does not have. */
const NOT_RUN: readonly [RegExp, string][] = [
  [/^(make|docker|sam|aws) /m, 'starts, bundles or deploys a whole system'],
  [/(pip|npm) install/, 'installs packages'],
  [/>> \.env/, 'changes the settings of a running stack'],
  [/\.listen\(8099/, 'is a server that runs until it is stopped'],
];

const pages = ['README.md', ...globSync('docs/{guides,concepts}/*.md', { cwd: repositoryRoot })];
const snippets = pages.flatMap(snippetsOf).filter(({ code }) => !NOT_RUN.some(([what]) => what.test(code)));

function snippetsOf(page: string): Snippet[] {
  const text = readFileSync(join(repositoryRoot, page), 'utf8');
  return [...text.matchAll(/^```(sh|python|js)\n(.*?)^```/gms)].map(([, language, code = '']) => ({
    page,
    language: language as Snippet['language'],
    code,
  }));
}

const ADMIN_KEY = 'an-admin-key-of-the-snippets';
let services: RunningServices | undefined;
let python: string;
/** A folder that looks like a checkout after `make up`. */
let folder: string;
let variables: Record<string, string>;

beforeAll(async () => {
  const { KAFKA_BROKERS, REDIS_URL, CACHE_REDIS_URL, TURNOUT_API_KEY, TURNOUT_SECRET, TURNOUT_TEST_STATE } =
    testEnv();
  folder = join(TURNOUT_TEST_STATE, 'snippets');
  const assistants = join(folder, 'deploy', 'assistants');
  cpSync(join(repositoryRoot, 'deploy', 'assistants'), assistants, { recursive: true });
  mkdirSync(join(folder, 'bin'));
  const command = join(repositoryRoot, 'bin', 'turnout');
  writeFileSync(join(folder, 'bin', 'turnout'), `#!/bin/sh\nexec ${command} "$@"\n`, { mode: 0o755 });
  const [venv, started] = await Promise.all([
    ensureVenv('openai', ['openai'], { cache: cacheFolder(process.env), say: () => undefined }),
    startServices({
      env: {
        TURNOUT_ADMIN_KEY: ADMIN_KEY,
        ENABLE_CACHE: 'true',
        WEBHOOK_ALLOW_HTTP: 'true',
        WEBHOOK_ALLOW_PRIVATE: 'true',
        ASSISTANT_DEFAULT_MODEL: 'turnout-sim',
        ASSISTANTS_DIR: assistants,
      },
    }),
  ]);
  services = started;
  python = pythonOf(venv);
  variables = {
    TURNOUT_URL: started.url,
    METRICS_URL: started.urlOf('metrics'),
    TURNOUT_API_KEY,
    TURNOUT_ADMIN_KEY: ADMIN_KEY,
    KAFKA_BROKERS,
    REDIS_URL,
    CACHE_REDIS_URL,
    TURNOUT_SECRET,
    TOPIC_PREFIX: started.prefix,
    REDIS_PREFIX: started.prefix,
    ASSISTANTS_DIR: assistants,
  };
  mkdirSync(join(folder, '.turnout'));
  const lines = Object.entries(variables).map(([name, value]) => `${name}='${value}'`);
  writeFileSync(join(folder, '.turnout', 'dev.env'), `${lines.join('\n')}\n`);
}, 240_000);

afterAll(async () => {
  await services?.stop();
}, 60_000);

interface Ran {
  code: number;
  output: string;
}

function run({ language, code }: Snippet, number: number): Promise<Ran> {
  const path = `${dirname(process.execPath)}:${dirname(python)}:${process.env['PATH'] ?? ''}`;
  const options = { cwd: folder, env: { ...variables, PATH: path, HOME: folder }, timeout: 60_000 };
  const [command, args] = commandOf(language, code, number);
  return new Promise((resolve) => {
    execFile(command, args, options, (error, out, err) => {
      resolve({ code: error ? Number(error.code ?? -1) : 0, output: out + err });
    });
  });
}

/** A reader pastes the blocks of a page into one shell: what one sets, the next one has. */
function inOneShell(code: string): string {
  return `if [ -f .shell ]; then . ./.shell; fi\n${code}\nset > .shell`;
}

function commandOf(language: Snippet['language'], code: string, number: number): [string, string[]] {
  if (language === 'sh') return ['sh', ['-ec', inOneShell(code)]];
  const file = join(folder, language === 'js' ? `snippet-${number}.mjs` : `snippet-${number}.py`);
  writeFileSync(file, code);
  return [language === 'js' ? process.execPath : python, [file]];
}

test('most blocks are run', () => {
  expect(snippets.length).toBeGreaterThan(15);
});

describe.each([...new Set(snippets.map(({ page }) => page))])('%s', (page) => {
  const own = snippets.filter((snippet) => snippet.page === page);
  beforeAll(() => rmSync(join(folder, '.shell'), { force: true }));
  test.each(own.map((snippet, index) => ({ ...snippet, number: index + 1 })))(
    'block $number ($language) works',
    async ({ number, ...snippet }) => {
      const { code, output } = await run(snippet, number);
      expect({ code, output }).toMatchObject({ code: 0 });
      expect(output).not.toMatch(/^Refused|"error"/m);
    },
  );
});
