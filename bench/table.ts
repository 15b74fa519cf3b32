import { aligned } from './measure/aligned.ts';
import type { Percentiles } from './measure/percentiles.ts';
import type { LatencyFigures } from './phases/latency.ts';
import type { Saturation, ThroughputFigures } from './phases/throughput.ts';
import type { BenchReport } from './report.ts';

type Row = readonly string[];

/** The report as a table. */
export function benchTable(report: BenchReport): string {
  const { details } = report;
  return [
    ...aligned([
      ['hops without Turnout, 20/s', 'p50 ms', 'p99 ms'],
      ...Object.entries(details.hops).map(([name, hop]: [string, Percentiles]) => [
        name,
        ms(hop.p50),
        ms(hop.p99),
      ]),
    ]),
    '',
    ...latency('1 user, one request at a time', details.alone),
    '',
    ...latency('20 concurrent users', details.crowd),
    '',
    ...aligned([
      ['instant upstream, closed loop', 'per s', 'p50 ms', 'p99 ms', 'each round'],
      ...throughput('jobs', details.jobs),
      ...throughput('50-token streams', details.streams),
    ]),
    '',
    ...processes(report, details.jobs),
    '',
    ...complex(report),
    '',
    ...paths(report),
    '',
    ...scaling(report),
    '',
    ...paced(report),
    '',
    `Added time to first token, p50: ${report.ratios.ttftToHops} times the sum of the hops.`,
    `Turnout without LiteLLM behind it: ${report.ratios.jobsToLiteLlm} times LiteLLM's own jobs per second.`,
    ...report.notes,
  ].join('\n');
}

function latency(title: string, { times, added }: LatencyFigures): string[] {
  const measured = Object.entries(times).map(([name, { ttft, total, requests }]) => [
    `${name} (${requests})`,
    ...[ttft, total].flatMap(({ p50, p99 }) => [ms(p50), ms(p99)]),
    '',
  ]);
  const more = Object.entries(added).map(([name, { ttft, total, pairedTtftP50 }]) => [
    `added by ${name}`,
    ...[ttft, total].flatMap(({ p50, p99 }) => [signed(p50), signed(p99)]),
    pairedTtftP50 === undefined ? '' : signed(pairedTtftP50),
  ]);
  const head = [title, 'ttft p50', 'p99', 'total p50', 'p99', 'ttft in pairs'];
  return aligned([head, ...measured, ...more]);
}

function complex({
  complex: { sequentialMs, parallelMs, limitMs, saved, overLimit },
}: BenchReport): string[] {
  return [
    ...aligned([
      ['4 documents, a long thread, 1 retrieval service', 'ttft p50'],
      ['in sequence', ms(sequentialMs)],
      ['in parallel', ms(parallelMs)],
      ['lower limit: slowest source, then the model', ms(limitMs)],
    ]),
    `In parallel: ${percent(saved)} less than in sequence, ${percent(overLimit)} above the limit.`,
  ];
}

function paths({ paths: byKind, pathPartsMs }: BenchReport): string[] {
  const rows = Object.entries(byKind).map(([kind, { ttft, total }]) => [
    kind,
    ...[ttft, total].flatMap(({ legacy, litellm, saved }) => [ms(legacy), ms(litellm), percent(saved)]),
  ]);
  const head = ['both backends', 'ttft legacy', 'LiteLLM', 'saved', 'total legacy', 'LiteLLM', 'saved'];
  const parts = Object.entries(pathPartsMs).map(([part, value]) => [`  ${part}`, signed(value)]);
  return [...aligned([head, ...rows]), ...aligned([['of which, p50 ms', ''], ...parts])];
}

function scaling({ details, scaling: { perSecond, doublings } }: BenchReport): string[] {
  const head = [
    `llm-workers with ${details.scaling.concurrency} slots, 1 s per answer`,
    'per s',
    'vs half as many',
  ];
  const rows = Object.entries(perSecond).map(([workers, rate]) => [
    workers,
    rate.toFixed(1),
    doublings[workers] === undefined ? '' : `${doublings[workers].toFixed(2)} times`,
  ]);
  return aligned([head, ...rows]);
}

function paced({ details: { paced: figures } }: BenchReport): string[] {
  const { streams, tokens, tokensPerSecond, cpuMsPerStream, redisBytesPerJob } = figures;
  const all = Object.values(cpuMsPerStream).reduce((sum, one) => sum + one, 0);
  return [
    ...aligned([
      [`${streams} streams, ${tokens} tokens each, ${tokensPerSecond} tokens/s`, 'CPU ms per stream'],
      ...Object.entries(cpuMsPerStream).map(([name, cpuMs]) => [name, cpuMs.toFixed(2)]),
      ['all', all.toFixed(2)],
    ]),
    `A job takes ${(redisBytesPerJob / 1024).toFixed(1)} KiB in the job Redis while its log is kept.`,
  ];
}

function throughput(what: string, { byTarget }: ThroughputFigures): Row[] {
  return Object.entries(byTarget).map(([name, { perSecond, total, rounds }]: [string, Saturation]) => [
    `${what}, ${name}`,
    String(perSecond),
    ms(total.p50),
    ms(total.p99),
    rounds.join(' '),
  ]);
}

/** CPU time by process for every target, and memory. */
function processes(report: BenchReport, { byTarget }: ThroughputFigures): string[] {
  const targets = Object.entries(byTarget);
  const names = [...new Set(targets.flatMap(([, { cpuMsPerJob }]) => Object.keys(cpuMsPerJob)))];
  const cell = (value: number | undefined): string => (value === undefined ? '' : value.toFixed(2));
  const rows = names.map((name) => [
    name,
    ...targets.map(([, { cpuMsPerJob }]) => cell(cpuMsPerJob[name])),
    String(targets.map(([, { rssMb }]) => rssMb[name]).find((size) => size !== undefined) ?? ''),
  ]);
  const sums = targets.map(([, { cpuMsPerJob }]) =>
    cell(Object.values(cpuMsPerJob).reduce((sum, one) => sum + one, 0)),
  );
  const head = ['CPU ms per job', ...targets.map(([name]) => name), 'MiB'];
  return names.length === 0
    ? ['No CPU and memory figures: this system has no /proc.']
    : aligned([head, ...rows, ['all', ...sums, '']]);
}

const ms = (value: number): string => value.toFixed(value < 10 ? 2 : 1);
const percent = (share: number): string => `${Math.round(share * 100)}%`;
const signed = (value: number): string => `${value < 0 ? '-' : '+'}${ms(Math.abs(value))}`;
