import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import {
  FIGURES_FOLDER,
  figuresIn,
  formatFigure,
  MARKER,
  pagesWithFigures,
  publishedReport,
  whyNotPublished,
} from '../../stack/figures/figures.ts';
import { repositoryRoot } from '../../stack/layout.ts';

const pages = pagesWithFigures().map((page) => ({
  page,
  text: readFileSync(join(repositoryRoot, page), 'utf8'),
}));
const figures = pages.flatMap(({ page, text }) => figuresIn(text).map((figure) => ({ page, figure })));

describe('published reports', () => {
  const published = readdirSync(join(repositoryRoot, FIGURES_FOLDER))
    .filter((file) => file.endsWith('.json'))
    .map((file) => basename(file, '.json'));

  test.each(published)('%s.json says how it was made, and a page cites it', (name) => {
    expect(whyNotPublished(publishedReport(name))).toBeUndefined();
    expect(figures.map(({ figure }) => figure.report)).toContain(name);
  });
});

describe('figures are those of the report (if not: `make figures`)', () => {
  test.each(figures)('$page: $figure.shown$figure.unit of $figure.report.json#$figure.path', ({ figure }) => {
    expect(figure.shown).toBe(formatFigure(figure, publishedReport(figure.report)));
  });
});

describe('each comment that names a value has a number in front of it', () => {
  test.each(pages)('$page', ({ text }) => {
    expect(figuresIn(text)).toHaveLength([...text.matchAll(MARKER)].length);
  });
});

describe('a text that measures names the report of its figures', () => {
  test.each(pages)('$page', ({ text }) => {
    expect(measuredBlocks(text).filter((block) => hasNumber(block) && !block.match(MARKER))).toEqual([]);
  });

  test.each([
    ['Answers take 13 ms (`make bench`).'],
    ['It rolled back 1,433 rollouts in `make simulate`.'],
    ['A start takes 0.8 s (p50).'],
    ['- no figure\n- the median is 20%'],
    ['By `make bench`:\n\n| process | cost |\n| --- | --- |\n| router | 1.8 |'],
  ])('%j is found', (text) => {
    expect(measuredBlocks(text).filter(hasNumber)).toHaveLength(1);
  });
});

const COMMANDS =
  'bench|simulate|rollback|streams|lambda|lambda-bench|retrieval-eval|assistants-eval|fairness|overload|neighbours|compare|soak|faults|documents|cache';
const MEASURES = new RegExp(String.raw`\bmake (${COMMANDS})\b|\b(p50|p99|median|measured)\b`);

/** Paragraphs, list items and table rows that measure: by a command's name or a statistical word in them, or above the table. */
function measuredBlocks(markdown: string): string[] {
  const found: string[] = [];
  let before = { isRow: false, tableMeasures: false };
  for (const block of blocksOf(markdown)) {
    const isRow = block.startsWith('|');
    const measures = MEASURES.test(block);
    // The line above a table often gives the circumstances of its figures; they are not measured themselves.
    const introduces = !isRow && measures && block.endsWith(':');
    if (isRow ? measures || before.tableMeasures : measures && !introduces) found.push(block);
    const inherits = before.tableMeasures || (measures && !before.isRow);
    before = { isRow, tableMeasures: isRow ? inherits : introduces };
  }
  return found;
}

function blocksOf(markdown: string): string[] {
  return markdown
    .replaceAll(/^```.*?^```/gms, '')
    .split(/\n\s*\n|\n(?=\s*(?:[-*]|\d+\.) )|\n(?=\|)/)
    .map((block) => block.trim());
}

/** A number that a measurement gives: with a unit, decimals or thousands. Link targets do not count. */
function hasNumber(block: string): boolean {
  const text = block.replaceAll(/\]\([^)]*\)/g, ']');
  return /\d\s?(%|ms\b|s\b|[KMG]i?B\b)|\d,\d{3}|\d\.\d/.test(text);
}
