import { expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from './layout.ts';

const sizesIn = (...path: string[]) =>
  readFileSync(join(repositoryRoot, ...path), 'utf8').match(/--m(?:in|ax)-semi-space-size=\d+/g);

test('services in containers have the same fixed size for new objects as those of `make up`', () => {
  const sizes = sizesIn('stack', 'services.ts');
  expect(sizes).toHaveLength(2);
  expect(sizesIn('deploy', 'docker', 'turnout')).toEqual(sizes);
});
