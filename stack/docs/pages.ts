import { format, resolveConfig } from 'prettier';
import { join } from 'node:path';
import { repositoryRoot } from '../layout.ts';
import { cliPage } from './cli-page.ts';
import { configurationPage } from './configuration-page.ts';
import { errorsPage } from './errors-page.ts';

const PAGES: Readonly<Record<string, () => string>> = {
  'docs/reference/cli.md': cliPage,
  'docs/reference/configuration.md': configurationPage,
  'docs/reference/errors.md': errorsPage,
};

/** File -> content of every generated page, formatted as the repository is. */
export async function generatedPages(): Promise<Record<string, string>> {
  const made = Object.entries(PAGES).map(async ([file, make]) => {
    const options = await resolveConfig(join(repositoryRoot, file));
    return [file, await format(make(), { ...options, parser: 'markdown' })] as const;
  });
  return Object.fromEntries(await Promise.all(made));
}
