/**
 * `make figures`: publishes the reports that pages cite, from `.turnout/reports` to `docs/figures`, and updates the numbers in the pages.
 * Exits with 1 if a report may not be published.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { repositoryRoot, stateFolder } from '../layout.ts';
import {
  FIGURES_FOLDER,
  figuresIn,
  pagesWithFigures,
  publishedReport,
  whyNotPublished,
  withValues,
} from './figures.ts';

const pages = new Map(
  pagesWithFigures().map((page) => [page, readFileSync(join(repositoryRoot, page), 'utf8')]),
);
const cited = new Set([...pages.values()].flatMap((text) => figuresIn(text).map(({ report }) => report)));

mkdirSync(join(repositoryRoot, FIGURES_FOLDER), { recursive: true });
for (const name of [...cited].sort()) publish(name);
const reports = new Map(
  [...cited]
    .map((name) => [name, publishedReport(name)] as const)
    .filter(([, report]) => report !== undefined),
);
for (const [page, text] of pages) await update(page, text);

function publish(name: string): void {
  const file = join(stateFolder(), 'reports', `${name}.json`);
  if (!existsSync(file)) return;
  const text = readFileSync(file, 'utf8');
  const problem = whyNotPublished(JSON.parse(text));
  if (problem !== undefined) {
    console.error(`${name}.json is not published: ${problem}.`);
    process.exitCode = 1;
  } else if (writtenAt(JSON.parse(text)) > writtenAt(publishedReport(name))) {
    writeFileSync(join(repositoryRoot, FIGURES_FOLDER, `${name}.json`), text);
    console.log(`published: ${join(FIGURES_FOLDER, `${name}.json`)}`);
  }
}

/** ISO 8601 in UTC, which sorts as text. */
function writtenAt(report: unknown): string {
  return (report as { run?: { at: string } } | undefined)?.run?.at ?? '';
}

async function update(page: string, text: string): Promise<void> {
  const path = join(repositoryRoot, page);
  const updated = withValues(text, reports);
  if (updated === text) return;
  const options = await resolveConfig(path);
  writeFileSync(path, await format(updated, { ...options, parser: 'markdown' }));
  console.log(`updated: ${page}. Check that the text around its figures is still true.`);
}
