import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { z } from 'zod';
import { ensureVenv, pythonOf } from '../../stack/install/python.ts';
import { cacheFolder } from '../../stack/layout.ts';
import { testEnv } from '../harness/env.ts';
import { type RunningServices, startServices } from '../harness/services.ts';
import { noSecondChance } from './support.ts';

/** `python/sdk_checks.py` does the work, as a process that knows an address and a key; here each check is a line. */
const SCRIPT = join(import.meta.dirname, 'python', 'sdk_checks.py');
const line = z.object({ check: z.string(), failure: z.string().nullable() });

let services: RunningServices | undefined;
let python: string;

beforeAll(async () => {
  const context = { cache: cacheFolder(process.env), say: () => undefined };
  const [venv, started] = await Promise.all([
    ensureVenv('openai', ['openai'], context),
    startServices({ env: noSecondChance }),
  ]);
  python = pythonOf(venv);
  services = started;
}, 240_000);

afterAll(() => services?.stop(), 60_000);

function runChecks(): Promise<{ stdout: string; stderr: string; code: number | string | null }> {
  const env = {
    ...process.env,
    OPENAI_BASE_URL: `${services?.url ?? ''}/v1`,
    OPENAI_API_KEY: testEnv().TURNOUT_API_KEY,
  };
  return new Promise((resolve) => {
    execFile(python, [SCRIPT], { env, timeout: 110_000 }, (error, stdout, stderr) =>
      resolve({ stdout, stderr, code: error ? (error.code ?? 'killed') : 0 }),
    );
  });
}

test('the official Python SDK, unchanged, gets all that it asks for', async () => {
  const { stdout, stderr, code } = await runChecks();
  const lines = stdout.trim().split('\n').filter(Boolean);
  const results = lines.map((text) => line.parse(JSON.parse(text)));
  expect(results.filter(({ failure }) => failure !== null)).toEqual([]);
  expect({ code, stderr }).toMatchObject({ code: 0 });
  expect(results.length).toBeGreaterThanOrEqual(15);
}, 120_000);
