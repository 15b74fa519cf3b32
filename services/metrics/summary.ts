import { PICODOLLARS } from '../../shared/policy/usage/ledger-sections.ts';
import { errorCodes } from '../../shared/platform/errors/catalogue.ts';
import { countNamed, type Counts, histogramsOf } from './counts/counts.ts';
import {
  EVENT_FATES,
  type EventFate,
  field,
  type BackendLabel,
  PATHS,
  type Source,
  SOURCES,
} from './counts/fields.ts';
import { countOf, type Histogram, mergeHistograms, quantile } from './counts/histogram.ts';

/** The response of `GET /summary`: everything counted since the first event. */
export interface Summary extends Figures {
  /** ISO 8601: when the first and the last counted job ended; null if no job has ended yet. */
  since: string | null;
  until: string | null;
  /** Tokens and US dollars that were saved by answers from the cache. */
  saved: { prompt: number; completion: number; cost: number };
  /** `cache`: jobs answered from the cache, without a backend. `none`: jobs that ended before they were routed. */
  paths: Record<BackendLabel, Figures>;
  events: Record<EventFate, number>;
}

interface Figures {
  jobs: number;
  completed: number;
  cancelled: number;
  errors: number;
  /** Errors among the jobs that were not cancelled, 0 to 1; null without such jobs. */
  errorRate: number | null;
  errorsByCode: Record<string, number>;
  attempts: number;
  /** Milliseconds from acceptance to the end of completed jobs. */
  latencyMs: Percentiles | null;
  /** Milliseconds from acceptance to the first token, of all jobs that had one. */
  ttftMs: Percentiles | null;
  /** Tokens reported by providers, and tokens estimated for calls that were cut; never added together. */
  tokens: Record<Source, { prompt: number; completion: number }>;
  /** US dollars. */
  cost: Record<Source, number>;
  completedWithoutUsage: number;
}

/** Percentiles are off by at most 0.8%. */
interface Percentiles {
  count: number;
  mean: number;
  p50: number;
  p90: number;
  p99: number;
}

export function summarise(counts: Counts): Summary {
  const histograms = histogramsOf(counts);
  const figures = (...paths: BackendLabel[]) => figuresOf(counts, histograms, paths);
  return {
    since: isoTime(counts.get('since')),
    until: isoTime(counts.get('until')),
    ...figures(...PATHS),
    saved: {
      prompt: countNamed(counts, field.savedTokens('prompt')),
      completion: countNamed(counts, field.savedTokens('completion')),
      cost: countNamed(counts, field.savedCost()) / PICODOLLARS,
    },
    paths: Object.fromEntries(PATHS.map((path) => [path, figures(path)])) as Summary['paths'],
    events: Object.fromEntries(
      EVENT_FATES.map((fate) => [fate, countNamed(counts, field.events(fate))]),
    ) as Summary['events'],
  };
}

function figuresOf(
  counts: Counts,
  histograms: ReadonlyMap<string, Histogram>,
  paths: readonly BackendLabel[],
): Figures {
  const total = (nameOf: (path: BackendLabel) => string) =>
    sum(paths.map((path) => countNamed(counts, nameOf(path))));
  const merged = (nameOf: (path: BackendLabel) => string) =>
    percentiles(mergeHistograms(paths.flatMap((path) => histograms.get(nameOf(path)) ?? [])));

  const completed = total((path) => field.jobs(path, 'completed'));
  const errors = total((path) => field.jobs(path, 'failed'));
  const cancelled = total((path) => field.jobs(path, 'cancelled'));
  const byCode = errorCodes.map((code) => [code, total((path) => field.errors(path, code))] as const);
  const tokens = (source: Source) => ({
    prompt: total((path) => field.tokens(path, source, 'prompt')),
    completion: total((path) => field.tokens(path, source, 'completion')),
  });
  const [reported, estimated] = SOURCES.map(
    (source) => total((path) => field.cost(path, source)) / PICODOLLARS,
  );
  return {
    jobs: completed + errors + cancelled,
    completed,
    cancelled,
    errors,
    errorRate: completed + errors === 0 ? null : errors / (completed + errors),
    errorsByCode: Object.fromEntries(byCode.filter(([, count]) => count > 0)),
    attempts: total(field.attempts),
    latencyMs: merged((path) => field.latency(path, 'completed')),
    ttftMs: merged(field.firstToken),
    tokens: { reported: tokens('reported'), estimated: tokens('estimated') },
    cost: { reported: reported ?? 0, estimated: estimated ?? 0 },
    completedWithoutUsage: total(field.withoutUsage),
  };
}

function percentiles(histogram: Histogram): Percentiles | null {
  const count = countOf(histogram);
  if (count === 0) return null;
  const at = (q: number) => toThreeDigits(quantile(histogram, q) ?? 0);
  return {
    count,
    mean: toThreeDigits(histogram.sumUs / count / 1_000),
    p50: at(0.5),
    p90: at(0.9),
    p99: at(0.99),
  };
}

function toThreeDigits(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}

function isoTime(at: number | undefined): string | null {
  return at === undefined ? null : new Date(at).toISOString();
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
