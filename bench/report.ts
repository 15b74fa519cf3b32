import type { Errors } from './load/protocol.ts';
import type { Percentiles } from './measure/percentiles.ts';
import type { ComplexFigures } from './phases/complex.ts';
import type { HopFigures } from './phases/hops.ts';
import type { AddedTimes, LatencyFigures } from './phases/latency.ts';
import type { Kind, PathComparison, PathsFigures } from './phases/paths.ts';
import type { PacedFigures } from './phases/paced.ts';
import type { ScalingFigures } from './phases/scaling.ts';
import type { Saturation, ThroughputFigures } from './phases/throughput.ts';
import { CROWD } from './plan.ts';

export interface BenchFindings {
  quick: boolean;
  hops: HopFigures;
  alone: LatencyFigures;
  crowd: LatencyFigures;
  jobs: ThroughputFigures;
  streams: ThroughputFigures;
  complex: ComplexFigures;
  paths: PathsFigures;
  scaling: ScalingFigures;
  paced: PacedFigures;
}

type ByConcurrency = Record<'c1' | 'c20', Percentiles>;

/** `.turnout/reports/bench.json`. Units: milliseconds, MiB, jobs per second. `p50` and `p99` of "added" are differences of percentiles. */
export interface BenchReport {
  at: string;
  quick: boolean;
  /** p50 of each hop. */
  hopsMs: Record<'kafka' | 'bullmq' | 'redis', number>;
  addedTtftMs: ByConcurrency;
  addedTotalMs: ByConcurrency;
  jobsPerSecond: Record<string, number>;
  streamsPerSecond: Record<string, number>;
  /** For Turnout's jobs without streaming. */
  cpuMsPerJob: Record<string, number>;
  rssMb: Record<string, number>;
  /** p50 of the time to first token with four documents, a long thread and a retrieval service. */
  complex: {
    sequentialMs: number;
    parallelMs: number;
    limitMs: number;
    /** The share of the sequential time that is saved, and the share of the limit that is added to it. */
    saved: number;
    overLimit: number;
  };
  /** p50 on both backends for a plain question, a question with assistant selection, and a question with context from all sources. */
  paths: Record<Kind, PathComparison>;
  /** p50 of each step that causes the difference, measured separately. */
  pathPartsMs: Record<string, number>;
  /** Jobs per second by number of llm-workers, with a model that takes one second; and the ratio to the rate of half as many workers. */
  scaling: { perSecond: Record<string, number>; doublings: Record<string, number> };
  /** The p50 of the added time to first token divided by the sum of the hops; Turnout's jobs per second divided by LiteLLM's. */
  ratios: { ttftToHops: number; jobsToLiteLlm: number };
  /** Limitations of the figures of this run. */
  notes: string[];
  details: BenchFindings;
  errors: Errors;
}

export function toBenchReport(findings: BenchFindings, at: Date): BenchReport {
  const { hops, alone, crowd, jobs, streams } = findings;
  const [c1, c20] = [addedOf(alone, 'turnout'), addedOf(crowd, 'turnout')];
  const turnout = saturationOf(jobs, 'turnout');
  const jobsPerSecond = ratesOf(jobs);
  return {
    at: at.toISOString(),
    quick: findings.quick,
    hopsMs: { kafka: hops.kafka.p50, bullmq: hops.bullmq.p50, redis: hops.redis.p50 },
    addedTtftMs: { c1: c1.ttft, c20: c20.ttft },
    addedTotalMs: { c1: c1.total, c20: c20.total },
    jobsPerSecond,
    streamsPerSecond: ratesOf(streams),
    cpuMsPerJob: turnout.cpuMsPerJob,
    rssMb: turnout.rssMb,
    complex: complexOf(findings.complex),
    paths: findings.paths.byKind,
    pathPartsMs: findings.paths.partsMs,
    scaling: { perSecond: findings.scaling.perSecond, doublings: doublingsOf(findings.scaling) },
    ratios: {
      ttftToHops: hundredths(c1.ttft.p50 / sumOfHops(hops)),
      jobsToLiteLlm: hundredths(turnout.perSecond / saturationOf(jobs, 'litellm').perSecond),
    },
    notes: notesOn(findings),
    details: findings,
    errors: sumOfErrors([
      alone.errors,
      crowd.errors,
      jobs.errors,
      streams.errors,
      findings.complex.errors,
      findings.paths.errors,
      findings.scaling.errors,
      findings.paced.errors,
    ]),
  };
}

function complexOf({ p50: { sequential, parallel, limit } }: ComplexFigures): BenchReport['complex'] {
  return {
    sequentialMs: sequential,
    parallelMs: parallel,
    limitMs: limit,
    saved: hundredths(1 - parallel / sequential),
    overLimit: hundredths(parallel / limit - 1),
  };
}

/** `{"2":1.99}`: two workers completed 1.99 times as many jobs as one. */
function doublingsOf({ perSecond }: ScalingFigures): Record<string, number> {
  return Object.fromEntries(
    Object.entries(perSecond).flatMap(([workers, rate]) => {
      const half = perSecond[String(Number(workers) / 2)];
      return half === undefined ? [] : [[workers, hundredths(rate / half)]];
    }),
  );
}

/** If a direct call of LiteLLM adds more than this to the simulator's time to first token, the run measures LiteLLM's queue. */
const QUEUEING_MS = 200;

function notesOn({ quick, crowd }: BenchFindings): string[] {
  const direct = crowd.times['litellm']?.ttft.p50 ?? 0;
  const queued = direct - CROWD.ttft > QUEUEING_MS;
  return [
    ...(queued
      ? [
          `With 20 users LiteLLM itself was saturated (${Math.round(direct)} ms to first token, of which the model takes ${CROWD.ttft} ms): c20 compares queues.`,
        ]
      : []),
    ...(quick ? ['Quick run: too few requests for a reliable p99.'] : []),
  ];
}

/** A job passes each hop at least once before its first token. */
function sumOfHops({ kafka, bullmq, redis }: HopFigures): number {
  return kafka.p50 + bullmq.p50 + redis.p50;
}

function addedOf({ added }: LatencyFigures, target: string): AddedTimes {
  const found = added[target];
  if (!found) throw new Error(`${target} was not measured`);
  return found;
}

function saturationOf({ byTarget }: ThroughputFigures, target: string): Saturation {
  const found = byTarget[target];
  if (!found) throw new Error(`${target} was not measured`);
  return found;
}

function ratesOf({ byTarget }: ThroughputFigures): Record<string, number> {
  return Object.fromEntries(Object.entries(byTarget).map(([name, { perSecond }]) => [name, perSecond]));
}

function hundredths(value: number): number {
  return Math.round(value * 100) / 100;
}

function sumOfErrors(all: readonly Errors[]): Errors {
  const sum: Errors = {};
  for (const [what, count] of all.flatMap((errors) => Object.entries(errors)))
    sum[what] = (sum[what] ?? 0) + count;
  return sum;
}
