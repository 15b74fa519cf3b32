import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { watchFailures } from './first-failure.ts';

let folder: string;
let log: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'turnout-log-'));
  log = join(folder, 'turnout.log');
});
afterEach(() => rmSync(folder, { recursive: true }));

const failed = {
  model: 'gpt-5',
  provider: 'openai',
  path: 'litellm',
  code: 'upstream_auth',
  msg: 'LiteLLM Error',
};

test('a failed call is described with its model, its provider and the reason', () => {
  const failure = watchFailures(log);
  expect(failure()).toBeUndefined();
  appendFileSync(log, `${JSON.stringify({ msg: 'Service ready' })}\n${JSON.stringify(failed)}\n{"half`);
  expect(failure()).toBe(
    'A call of gpt-5 (openai) through LiteLLM failed: The model provider refused our credentials. [upstream_auth]',
  );
});

test('earlier failures do not count', () => {
  writeFileSync(log, `${JSON.stringify(failed)}\n`);
  expect(watchFailures(log)()).toBeUndefined();
});
