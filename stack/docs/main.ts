/** `make docs`: writes the reference pages that are made from the code. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { repositoryRoot } from '../layout.ts';
import { generatedPages } from './pages.ts';

for (const [file, content] of Object.entries(await generatedPages())) {
  const path = join(repositoryRoot, file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  console.log(`written: ${file}`);
}
