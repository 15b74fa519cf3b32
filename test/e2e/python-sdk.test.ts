import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { z } from 'zod';
import { ensureVenv, pythonOf } from '../../stack/install/python.ts';
import { cacheFolder } from '../../stack/layout.ts';
import { testEnv } from '../harness/env.ts';
import { type RunningServices, startServices } from '../harness/services.ts';
import { noSecondChance } from './support.ts';
import { checked } from './validating-fetch.ts';
import { startValidatingProxy, type ValidatingProxy } from './validating-proxy.ts';

/** The Python scripts run as separate processes with a URL and a key. Each check prints one line. */
const scriptOf = (name: string) => join(import.meta.dirname, 'python', name);
const line = z.object({ check: z.string(), failure: z.string().nullable() });

let services: RunningServices | undefined;
let proxy: ValidatingProxy | undefined;
let python: string;

beforeAll(async () => {
  const context = { cache: cacheFolder(process.env), say: () => undefined };
  const [venv, started] = await Promise.all([
    ensureVenv('openai', ['openai'], context),
    startServices({ env: noSecondChance }),
  ]);
  python = pythonOf(venv);
  services = started;
  proxy = await startValidatingProxy(started.url);
}, 240_000);

afterAll(async () => {
  await proxy?.close();
  await services?.stop();
}, 60_000);

function runChecks(
  script: string,
): Promise<{ stdout: string; stderr: string; code: number | string | null }> {
  const env = {
    ...process.env,
    OPENAI_BASE_URL: `${proxy?.url ?? ''}/v1`,
    OPENAI_API_KEY: testEnv().TURNOUT_API_KEY,
  };
  return new Promise((resolve) => {
    execFile(python, [scriptOf(script)], { env, timeout: 110_000 }, (error, stdout, stderr) =>
      resolve({ stdout, stderr, code: error ? (error.code ?? 'killed') : 0 }),
    );
  });
}

test.each([
  ['sdk_checks.py', 15],
  ['responses_checks.py', 12],
])(
  'the official Python SDK, unchanged, passes all checks: %s',
  async (script, atLeast) => {
    const { stdout, stderr, code } = await runChecks(script);
    const lines = stdout.trim().split('\n').filter(Boolean);
    const results = lines.map((text) => line.parse(JSON.parse(text)));
    expect(results.filter(({ failure }) => failure !== null)).toEqual([]);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(results.length).toBeGreaterThanOrEqual(atLeast);
  },
  120_000,
);

test('everything it received has the types of the official SDK', () => {
  expect(proxy?.problems).toEqual([]);
  expect(checked.bodies).toBeGreaterThan(20);
  expect(checked.events).toBeGreaterThan(50);
});
