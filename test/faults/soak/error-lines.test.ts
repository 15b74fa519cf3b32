import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { countErrorLines, describeErrorLines, unexpectedErrors } from './error-lines.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'turnout-logs-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const line = (level: string, msg: string) => `${JSON.stringify({ level, time: 1, msg })}\n`;

test('errors in the logs are counted once each, and unexpected ones are reported', () => {
  const failed = line('error', 'Request failed');
  const worker = line('info', 'started') + line('fatal', 'Queue worker stopped') + '{"level":"error","ms';
  writeFileSync(join(folder, 'ingress-2.log'), failed + failed + line('warn', 'slow'));
  writeFileSync(join(folder, 'llm-worker.log'), worker);
  writeFileSync(join(folder, 'turnout.log'), failed + failed + worker);

  const lines = countErrorLines(folder, 'turnout.log');
  expect(lines).toEqual({
    'error ingress-2: Request failed': 2,
    'fatal llm-worker: Queue worker stopped': 1,
  });
  expect(unexpectedErrors(lines)).toEqual(['1 lines in the logs: fatal llm-worker: Queue worker stopped']);
  expect(describeErrorLines(lines)[0]).toBe('3 lines of level error or fatal in the logs');
});
