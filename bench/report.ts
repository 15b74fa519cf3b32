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

/** `.turnout/reports/bench.json`. Milliseconds, MiB, jobs per second; `p50` and `p99` of "added" are differences of percentiles. */
export interface BenchReport {
  at: string;
  quick: boolean;
  /** p50 of each hop. */
  hopsMs: Record<'kafka' | 'bullmq' | 'redis', number>;
  addedTtftMs: ByConcurrency;
  addedTotalMs: ByConcurrency;
  jobsPerSecond: Record<string, number>;
  streamsPerSecond: Record<string, number>;
  /** Of Turnout's jobs that are no streams. */
  cpuMsPerJob: Record<string, number>;
  rssMb: Record<string, number>;
  /** p50 of the time to first token with four documents, a long thread and a retrieval service. */
  complex: {
    sequentialMs: number;
    parallelMs: number;
    limitMs: number;
    /** Share of the sequential time that is saved, and of the limit's that is added. */
    saved: number;
    overLimit: number;
  };
  /** p50 on both paths: of a plain question, of one whose assistant is to be chosen, and of one with context from everywhere. */
  paths: Record<Kind, PathComparison>;
  /** p50 of what makes the difference, each by itself. */
  pathPartsMs: Record<string, number>;
  /** Jobs per second by the number of llm-workers, of a model that takes a second; and each over the rate of half as many. */
  scaling: { perSecond: Record<string, number>; doublings: Record<string, number> };
  /** The p50 of added time to first token over the sum of the hops, and Turnout's jobs per second over LiteLLM's. */
  ratios: { ttftToHops: number; jobsToLiteLlm: number };
  /** What makes a figure say less than it seems to. */
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

/** `{"2":1.99}`: two workers did so many times what one did. */
function doublingsOf({ perSecond }: ScalingFigures): Record<string, number> {
  return Object.fromEntries(
    Object.entries(perSecond).flatMap(([workers, rate]) => {
      const half = perSecond[String(Number(workers) / 2)];
      return half === undefined ? [] : [[workers, hundredths(rate / half)]];
    }),
  );
}

/** Time to first token that calling LiteLLM directly may add to the simulator's own before its queue is what is measured. */
const QUEUEING_MS = 200;

function notesOn({ quick, crowd }: BenchFindings): string[] {
  const direct = crowd.times['litellm']?.ttft.p50 ?? 0;
  const queued = direct - CROWD.ttft > QUEUEING_MS;
  return [
    ...(queued
      ? [
          `At 20 users LiteLLM itself was saturated (${Math.round(direct)} ms to first token, ${CROWD.ttft} of it the model's): c20 compares queues.`,
        ]
      : []),
    ...(quick ? ['A quick run: too few requests for a p99.'] : []),
  ];
}

/** A job crosses each of them at least once before its first token. */
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
