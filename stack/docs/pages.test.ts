import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { configSchema } from '../../shared/platform/config/schema.ts';
import { repositoryRoot } from '../layout.ts';
import { generatedPages } from './pages.ts';

const pages = await generatedPages();

test.each(Object.entries(pages))('%s is as `make docs` writes it', (file, content) => {
  const path = join(repositoryRoot, file);
  expect(existsSync(path) ? readFileSync(path, 'utf8') : '').toBe(content);
});

test.each(Object.keys(configSchema.shape))('the setting %s has a description and a reader', (name) => {
  const row = (pages['docs/reference/configuration.md'] ?? '')
    .split('\n')
    .find((line) => line.startsWith(`| \`${name}\``));
  const [, , meaning = '', , , readers = ''] = (row ?? '').split(/(?<!\\)\|/).map((cell) => cell.trim());
  expect({ meaning, readers }).toEqual({
    meaning: expect.stringMatching(/\w/),
    readers: expect.stringMatching(/\w/),
  });
});
