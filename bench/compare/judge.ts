import type { Errors } from '../load/protocol.ts';
import { median } from '../measure/percentiles.ts';
import type { LatencyFigures } from '../phases/latency.ts';
import type { Saturation, ThroughputFigures } from '../phases/throughput.ts';

export interface PairedRates {
  /** Per second. */
  before: number;
  now: number;
  /** The median of the rounds' ratios, this version divided by the release. Above 1, this version is faster. */
  ratio: number;
  rounds: readonly number[];
  /** CPU milliseconds per job by process, to explain a difference. */
  cpuMsPerJob: { before: Readonly<Record<string, number>>; now: Readonly<Record<string, number>> };
}

export interface ReleaseComparison {
  /** p50 of each, and the median of the differences between paired requests. */
  firstTokenMs: { before: number; now: number; inPairs: number };
  jobs: PairedRates;
  streams: PairedRates;
  errors: Errors;
}

/** The variation between two copies of the same version on two shared cores, as shown by `make compare` of a commit with itself. */
export const COMPARE_HELD_TO = { firstTokenMs: 1, ratio: 0.95 } as const;

interface Figures {
  alone: LatencyFigures;
  jobs: ThroughputFigures;
  streams: ThroughputFigures;
}

/** Throws if one of the two was not measured. */
export function compare(
  { before, now }: { before: string; now: string },
  { alone, jobs, streams }: Figures,
): ReleaseComparison {
  const p50 = (name: string) => found(alone.times[name], name).ttft.p50;
  const inPairs = found(alone.added[now]?.pairedTtftP50, now);
  const rates = ({ byTarget }: ThroughputFigures) =>
    ratesOf(found(byTarget[before], before), found(byTarget[now], now));
  return {
    firstTokenMs: { before: p50(before), now: p50(now), inPairs },
    jobs: rates(jobs),
    streams: rates(streams),
    errors: { ...alone.errors, ...jobs.errors, ...streams.errors },
  };
}

/** The regressions of this version as text. Empty if there are none. */
export function slower({ firstTokenMs, jobs, streams, errors }: ReleaseComparison): string[] {
  return [
    ...(firstTokenMs.inPairs > COMPARE_HELD_TO.firstTokenMs
      ? [`the first token arrives ${firstTokenMs.inPairs.toFixed(2)} ms later`]
      : []),
    ...(jobs.ratio < COMPARE_HELD_TO.ratio
      ? [`answers per second: ${jobs.ratio.toFixed(3)} of the release`]
      : []),
    ...(streams.ratio < COMPARE_HELD_TO.ratio
      ? [`streams per second: ${streams.ratio.toFixed(3)} of the release`]
      : []),
    ...Object.entries(errors).map(([what, count]) => `${count} requests failed: ${what}`),
  ];
}

function ratesOf(before: Saturation, now: Saturation): PairedRates {
  const rounds = now.rounds.map((rate, at) => rate / (before.rounds[at] ?? Number.NaN));
  const cpuMsPerJob = { before: before.cpuMsPerJob, now: now.cpuMsPerJob };
  return { before: before.perSecond, now: now.perSecond, ratio: median(rounds), rounds, cpuMsPerJob };
}

function found<T>(value: T | undefined, name: string): T {
  if (value === undefined) throw new Error(`${name} was not measured`);
  return value;
}
