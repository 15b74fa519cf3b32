import { PICODOLLARS } from '../../shared/policy/usage/ledger-sections.ts';
import { stage } from '../../shared/contracts/outcome.ts';
import { errorCodes } from '../../shared/platform/errors/catalogue.ts';
import { countNamed, type Counts, histogramsOf } from './counts/counts.ts';
import { EVENT_FATES, field, PATHS, SOURCES, STATUSES, TOKEN_KINDS } from './counts/fields.ts';
import { bucketOf, countOf, cumulate, edgeOf, type Histogram } from './counts/histogram.ts';

/** Label values come from our own enumerations, so none needs escaping. */
type Labels = Readonly<Record<string, string>>;
type Sample = readonly [labels: Labels, value: number];

interface Family {
  name: string;
  help: string;
  /** Labels, and the name of the count or histogram that the ledger keeps for them. */
  series: readonly (readonly [labels: Labels, stored: string])[];
  /** How many stored units make one displayed unit. */
  unit?: number;
}

const paths = PATHS.map((path) => ({ path }));
const statuses = PATHS.flatMap((path) => STATUSES.map((status) => ({ path, status })));
const sources = PATHS.flatMap((path) => SOURCES.map((source) => ({ path, source })));
const tokens = sources.flatMap((labels) => TOKEN_KINDS.map((kind) => ({ ...labels, kind })));
const stages = PATHS.flatMap((path) => stage.options.map((of) => ({ path, stage: of })));
const codes = PATHS.flatMap((path) => errorCodes.map((code) => ({ path, code })));

const COUNTERS: readonly Family[] = [
  {
    name: 'turnout_jobs_total',
    help: 'Jobs that have ended.',
    series: statuses.map((labels) => [labels, field.jobs(labels.path, labels.status)]),
  },
  {
    name: 'turnout_job_errors_total',
    help: 'Failed jobs by error code.',
    series: codes.map((labels) => [labels, field.errors(labels.path, labels.code)]),
  },
  {
    name: 'turnout_job_attempts_total',
    help: 'Attempts of jobs that have ended.',
    series: paths.map((labels) => [labels, field.attempts(labels.path)]),
  },
  {
    name: 'turnout_tokens_total',
    help: 'Tokens, reported by providers or estimated for calls that were cut.',
    series: tokens.map((labels) => [labels, field.tokens(labels.path, labels.source, labels.kind)]),
  },
  {
    name: 'turnout_cost_dollars_total',
    help: 'Cost in US dollars.',
    series: sources.map((labels) => [labels, field.cost(labels.path, labels.source)]),
    unit: PICODOLLARS,
  },
  {
    name: 'turnout_saved_tokens_total',
    help: 'Tokens saved by answers from the cache.',
    series: TOKEN_KINDS.map((kind) => [{ kind }, field.savedTokens(kind)]),
  },
  {
    name: 'turnout_saved_dollars_total',
    help: 'US dollars saved by answers from the cache.',
    series: [[{}, field.savedCost()]],
    unit: PICODOLLARS,
  },
  {
    name: 'turnout_jobs_without_usage_total',
    help: 'Completed jobs without reported or estimated usage.',
    series: paths.map((labels) => [labels, field.withoutUsage(labels.path)]),
  },
  {
    name: 'turnout_events_total',
    help: 'Events of ended jobs, by how they were handled.',
    series: EVENT_FATES.map((fate) => [{ fate }, field.events(fate)]),
  },
];

const HISTOGRAMS: readonly Family[] = [
  {
    name: 'turnout_job_duration_seconds',
    help: 'Time from acceptance to the end of the job.',
    series: statuses.map((labels) => [labels, field.latency(labels.path, labels.status)]),
  },
  {
    name: 'turnout_time_to_first_token_seconds',
    help: 'Time from acceptance to the first token.',
    series: paths.map((labels) => [labels, field.firstToken(labels.path)]),
  },
  {
    name: 'turnout_stage_duration_seconds',
    help: 'Time of each stage, for the jobs sampled by METRICS_SAMPLING_RATE.',
    series: stages.map((labels) => [labels, field.stage(labels.path, labels.stage)]),
  },
];

/** Two edges for each power of two, 1 ms to 18 min. All are edges of the stored buckets, so the counts are exact. */
const EDGES = Array.from({ length: 41 }, (_, step) =>
  bucketOf((2 ** (10 + Math.floor(step / 2)) * (step % 2 === 0 ? 1 : 1.5)) / 1_000),
);

/**
 * The counts in Prometheus's text format 0.0.4. They are rendered from the stored counts, not collected in this process, so counters
 * neither reset with a restart nor differ between instances. Scrape one instance only.
 */
export function renderPrometheus(counts: Counts): string {
  const histograms = histogramsOf(counts);
  return [
    ...COUNTERS.flatMap((family) => [...head(family, 'counter'), ...counterLines(family, counts)]),
    ...HISTOGRAMS.flatMap((family) => [
      ...head(family, 'histogram'),
      ...family.series.flatMap(([labels, stored]) =>
        histogramLines(family.name, labels, histograms.get(stored)),
      ),
    ]),
  ].join('');
}

/** Zeros are included, so that rates start from zero, except for the many error codes. */
function counterLines({ name, series, unit = 1 }: Family, counts: Counts): string[] {
  const shown = series.filter(([labels, stored]) => !('code' in labels) || counts.has(stored));
  return lines(
    name,
    shown.map(([labels, stored]) => [labels, countNamed(counts, stored) / unit]),
  );
}

function histogramLines(name: string, labels: Labels, histogram: Histogram | undefined): string[] {
  if (!histogram) return [];
  const count = countOf(histogram);
  const below = cumulate(histogram, EDGES);
  const buckets = EDGES.map((edge, i): Sample => [
    { ...labels, le: String(edgeOf(edge) / 1_000) },
    below[i] ?? 0,
  ]);
  return [
    ...lines(`${name}_bucket`, [...buckets, [{ ...labels, le: '+Inf' }, count]]),
    ...lines(`${name}_sum`, [[labels, histogram.sumUs / 1e6]]),
    ...lines(`${name}_count`, [[labels, count]]),
  ];
}

function head({ name, help }: Family, type: 'counter' | 'histogram'): string[] {
  return [`# HELP ${name} ${help}\n`, `# TYPE ${name} ${type}\n`];
}

function lines(name: string, samples: readonly Sample[]): string[] {
  return samples.map(([labels, value]) => {
    const pairs = Object.entries(labels).map(([label, text]) => `${label}="${text}"`);
    return `${name}{${pairs.join(',')}} ${value}\n`;
  });
}
