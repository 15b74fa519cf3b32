import type { Errors } from '../load/protocol.ts';
import { median } from '../measure/percentiles.ts';
import type { LatencyFigures } from '../phases/latency.ts';
import type { Saturation, ThroughputFigures } from '../phases/throughput.ts';

export interface PairedRates {
  /** A second. */
  before: number;
  now: number;
  /** The median of the rounds' ratios, this version over the one before: above 1, it is faster. */
  ratio: number;
  rounds: readonly number[];
  /** Processor milliseconds for each job, by process: where a difference comes from. */
  cpuMsPerJob: { before: Readonly<Record<string, number>>; now: Readonly<Record<string, number>> };
}

export interface ReleaseComparison {
  /** p50 of each, and the median of what this version takes longer than its neighbour in time. */
  firstTokenMs: { before: number; now: number; inPairs: number };
  jobs: PairedRates;
  streams: PairedRates;
  errors: Errors;
}

/** What wavers between two copies of the same version on two shared cores: `make compare` of a commit with itself shows it. */
export const COMPARE_HELD_TO = { firstTokenMs: 1, ratio: 0.95 } as const;

interface Figures {
  alone: LatencyFigures;
  jobs: ThroughputFigures;
  streams: ThroughputFigures;
}

/** Throws where one of them was not measured. */
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

/** In what this version is worse, in words. Empty: in nothing. */
export function slower({ firstTokenMs, jobs, streams, errors }: ReleaseComparison): string[] {
  return [
    ...(firstTokenMs.inPairs > COMPARE_HELD_TO.firstTokenMs
      ? [`the first token comes ${firstTokenMs.inPairs.toFixed(2)} ms later`]
      : []),
    ...(jobs.ratio < COMPARE_HELD_TO.ratio
      ? [`answers a second: ${jobs.ratio.toFixed(3)} of what they were`]
      : []),
    ...(streams.ratio < COMPARE_HELD_TO.ratio
      ? [`streams a second: ${streams.ratio.toFixed(3)} of what they were`]
      : []),
    ...Object.entries(errors).map(([what, count]) => `${count} failed: ${what}`),
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
