import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { describeRun, readCheckout } from './reports.ts';

describe('the checkout of a report', () => {
  let folder: string;
  const git = (...args: string[]) => execFileSync('git', args, { cwd: folder, encoding: 'utf8' }).trim();
  const write = (file: string, text: string) => writeFileSync(join(folder, file), text);

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'turnout-checkout-'));
    mkdirSync(join(folder, 'docs', 'figures'), { recursive: true });
    write('code.ts', 'one');
    write('README.md', 'one');
    git('init', '-q');
    git('add', '.');
    git('-c', 'user.name=test', '-c', 'user.email=test@example.com', 'commit', '-qm', 'first');
  });

  afterEach(() => rmSync(folder, { recursive: true }));

  test('names the commit', () => {
    expect(readCheckout(folder)).toEqual({ commit: git('rev-parse', 'HEAD'), changed: false });
  });

  test.each(['code.ts', 'new.ts'])('has changed if %s has', (file) => {
    write(file, 'two');
    expect(readCheckout(folder).changed).toBe(true);
  });

  test.each(['README.md', 'docs/figures/new.json'])(
    'has not changed if only pages or published reports have: %s',
    (file) => {
      write(file, 'two');
      expect(readCheckout(folder).changed).toBe(false);
    },
  );
});

test('a folder without a commit counts as changed', () => {
  const folder = mkdtempSync(join(tmpdir(), 'turnout-no-checkout-'));
  expect(readCheckout(folder)).toEqual({ commit: 'unknown', changed: true });
  rmSync(folder, { recursive: true });
});

test('a report describes the command, the time and the machine, but not the name of the host', () => {
  const run = describeRun();
  expect(run).toMatchObject({
    command: expect.stringMatching(/^(make|node) /),
    at: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
  });
  expect(Object.keys(run.machine)).toEqual(['cpu', 'cores', 'memoryGiB', 'os', 'node']);
});
