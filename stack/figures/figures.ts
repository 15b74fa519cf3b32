/**
 * Measured figures in Markdown. A comment behind a number names its value in a report of docs/figures:
 *
 *     rolled back 1,433<!-- simulate.json#/usualRules/overThreshold/falseRollbacks --> of them
 *
 * The text decides the format: the decimals of the number, and the unit behind it. `%` shows a share from 0 to 1. A size in bytes needs
 * `in bytes` at the end of the comment if the text shows another unit.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from '../layout.ts';
import { type ReportRun } from '../reports.ts';

export const FIGURES_FOLDER = join('docs', 'figures');

export interface Figure {
  /** The number in the text, without its unit. */
  shown: string;
  unit: string;
  /** The report's name, and the keys that lead to the value in it. */
  report: string;
  path: string;
  inBytes: boolean;
}

/** Each comment that names a report's value, whether or not a number stands in front of it. */
export const MARKER = /<!--\s*[\w-]+\.json#.*?-->/g;
const FIGURE = new RegExp(
  String.raw`(?<shown>-?\d[\d,]*(?:\.\d+)?)(?<gap> ?)(?<unit>%|ms|s|KB|MB|KiB|MiB|)` +
    String.raw`(?<comment><!-- (?<report>[\w-]+)\.json#(?<path>/.+?)(?<inBytes> in bytes)? -->)`,
  'g',
);

const BYTES: Readonly<Record<string, number>> = { KB: 1_000, MB: 1_000_000, KiB: 1_024, MiB: 1_048_576 };

/** The Markdown pages whose figures must agree with reports. Decisions and the changelog are dated records. */
export function pagesWithFigures(): string[] {
  return execFileSync('git', ['ls-files', '*.md'], { cwd: repositoryRoot, encoding: 'utf8' })
    .split('\n')
    .filter((page) => page !== '' && page !== 'CHANGELOG.md' && !page.startsWith('docs/decisions/'))
    .filter((page) => existsSync(join(repositoryRoot, page)));
}

export function figuresIn(markdown: string): Figure[] {
  return [...markdown.matchAll(FIGURE)].map(({ groups = {} }) => toFigure(groups));
}

/** The page with the reports' values in place of the numbers. Figures without a report stay as they are. */
export function withValues(markdown: string, reports: ReadonlyMap<string, unknown>): string {
  return markdown.replaceAll(FIGURE, (whole: string, ...rest: unknown[]) => {
    const groups = rest.at(-1) as Record<string, string>;
    const figure = toFigure(groups);
    if (!reports.has(figure.report)) return whole;
    return `${formatFigure(figure, reports.get(figure.report))}${groups['gap']}${figure.unit}${groups['comment']}`;
  });
}

function toFigure(groups: Record<string, string | undefined>): Figure {
  const { shown = '', unit = '', report = '', path = '', inBytes } = groups;
  return { shown, unit, report, path, inBytes: inBytes !== undefined };
}

/** The report's value as the text must show it. Throws if the report has no such value. */
export function formatFigure({ shown, unit, report, path, inBytes }: Figure, content: unknown): string {
  if (content === undefined) throw new Error(`${report}.json is not in ${FIGURES_FOLDER}`);
  const value = valueAt(content, path);
  if (value === undefined) throw new Error(`${report}.json has no number at ${path}`);
  const decimals = shown.split('.')[1]?.length ?? 0;
  const scaled = unit === '%' ? value * 100 : value / (inBytes ? (BYTES[unit] ?? 1) : 1);
  return scaled.toLocaleString('en-US', { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}

function valueAt(content: unknown, path: string): number | undefined {
  let value = content;
  for (const key of path.slice(1).split('/'))
    value = (value as Record<string, unknown> | null | undefined)?.[key];
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

/** A published report, or undefined if there is none. */
export function publishedReport(name: string): unknown {
  const file = join(repositoryRoot, FIGURES_FOLDER, `${name}.json`);
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
}

/** Why a report may not be published, or undefined if it may. */
export function whyNotPublished(report: unknown): string | undefined {
  const { run } = report as { run?: Partial<ReportRun> };
  if (!run?.command || !run.at || !run.commit || !run.machine)
    return 'it does not say how it was made; run its command again';
  if (run.changed !== false) return 'there were uncommitted changes; commit them and run its command again';
  if (run.command.includes('--quick')) return 'it is of a quick run; run its command without --quick';
  return undefined;
}
