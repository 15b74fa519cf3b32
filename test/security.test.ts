import { expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from '../stack/layout.ts';

const read = (path: string) => readFileSync(join(repositoryRoot, path), 'utf8');

/** The rows of the table, each with the test that it names. */
const threats = read('docs/operations/security.md')
  .split('\n')
  .filter((line) => line.startsWith('| ') && !/^\| (threat|-)/.test(line))
  .map((line) => {
    const [threat = '', , named = ''] = line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim());
    const [, file = '', name = ''] = /^`([^`]+)` › (.+)$/.exec(named) ?? [];
    return { threat, file, name };
  });

test('the threat model has entries', () => {
  expect(threats.length).toBeGreaterThan(15);
});

test.each(threats)('the protection is tested: $threat', ({ file, name }) => {
  expect(read(file)).toContain(`'${name}`);
});
