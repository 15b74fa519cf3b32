import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { repositoryRoot } from '../../stack/layout.ts';

const read = (file: string) => readFileSync(join(repositoryRoot, file), 'utf8');
const { version } = JSON.parse(read('package.json')) as { version: string };
const released = [...read('CHANGELOG.md').matchAll(/^## (\d+\.\d+\.\d+)/gm)].map(([, name]) => name);

test('the lock file, the images and the changelog have the version of package.json', () => {
  const lock = JSON.parse(read('package-lock.json')) as {
    version: string;
    packages: Record<string, unknown>;
  };
  expect(lock.version).toBe(version);
  expect(lock.packages['']).toHaveProperty('version', version);
  const tags = [...read('docker-compose.yml').matchAll(/image: turnout[a-z-]*:(\S+)/g)].map(([, tag]) => tag);
  expect(tags.length).toBeGreaterThan(0);
  expect(new Set(tags)).toEqual(new Set([version]));
  expect(released[0]).toBe(version);
});

test('the changelog describes every release that upgrades are tested from', () => {
  const releases = JSON.parse(read('docs/releases.json')) as { version: string }[];
  for (const release of releases) expect(released).toContain(release.version);
});
