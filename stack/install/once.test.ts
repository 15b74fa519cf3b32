import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from './once.ts';

let parent: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'turnout-'));
});
afterEach(() => rmSync(parent, { recursive: true }));

describe('a folder that is filled once', () => {
  test('is filled only once by concurrent callers', async () => {
    let filled = 0;
    const fill = (): Promise<void> => {
      filled += 1;
      return Promise.resolve();
    };
    await Promise.all([1, 2, 3].map(() => once(join(parent, 'venv'), fill)));
    expect(filled).toBe(1);
  });

  test('is emptied and filled again after an interrupted attempt', async () => {
    const folder = join(parent, 'venv');
    const interrupted = once(folder, () => {
      writeFileSync(join(folder, 'half'), '');
      return Promise.reject(new Error('interrupted'));
    });
    await expect(interrupted).rejects.toThrow('interrupted');
    await once(folder, () => Promise.resolve());
    expect(existsSync(join(folder, 'half'))).toBe(false);
  });

  test('is not waited for if the process that was filling it has died', async () => {
    const folder = join(parent, 'venv');
    writeFileSync(`${folder}.lock`, JSON.stringify({ pid: process.pid, startTime: 'of another process' }));
    await once(folder, () => Promise.resolve());
    expect(existsSync(`${folder}.lock`)).toBe(false);
  });
});
