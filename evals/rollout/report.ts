import { aligned } from '../../bench/measure/aligned.ts';
import { ROLLOUT_HELD_TO, ROLLOUT_PLAN } from './plan.ts';
import { type RunResult } from './runs.ts';

/** `.turnout/reports/simulate.json`. */
export interface RolloutReport {
  at: string;
  seed: number;
  /** The number of healthy rollouts, each simulated over its whole duration. */
  rollouts: number;
  falseRollbacks: number;
  /** How many of the healthy rollouts the usual rules roll back. */
  usualRules: Record<'overThreshold' | 'badChecks', { falseRollbacks: number; share: number }>;
  /** The median time from the jump to the rollback, by the judge and by the usual rules on the same runs. */
  detectionSeconds: Record<string, number | null>;
  usualDetectionSeconds: Record<string, { overThreshold: number | null; badChecks: number | null }>;
  detectedShare: Record<string, number>;
  falseRollbacksByTest: Record<string, number>;
  /** The share of healthy rollouts that reached 100%, and the shares of their hours with each verdict. */
  completedShare: number;
  verdictShares: Record<string, number>;
  broken: string[];
}

export function toRolloutReport(results: readonly RunResult[], at: Date): RolloutReport {
  const healthy = results.filter(({ run }) => run.kind === 'healthy').map(({ result }) => result);
  const rolledBack = healthy.filter(({ rolledBackAt }) => rolledBackAt !== undefined);
  const usual = (rule: 'threshold' | 'badChecks') => {
    const falseRollbacks = healthy.filter((result) => result.usual[rule] !== undefined).length;
    return { falseRollbacks, share: rounded(falseRollbacks / healthy.length) };
  };
  const jumps = ROLLOUT_PLAN.jumps.to.map((to) => [`1-${to}`, jumpsTo(results, to)] as const);
  const by = <T>(value: (jump: Jumps) => T) =>
    Object.fromEntries(jumps.map(([name, jump]) => [name, value(jump)]));
  const report = {
    at: at.toISOString(),
    seed: ROLLOUT_PLAN.seed,
    rollouts: healthy.length,
    falseRollbacks: rolledBack.length,
    usualRules: { overThreshold: usual('threshold'), badChecks: usual('badChecks') },
    detectionSeconds: by(({ judge }) => median(judge)),
    usualDetectionSeconds: by(({ threshold, badChecks }) => ({
      overThreshold: median(threshold),
      badChecks: median(badChecks),
    })),
    detectedShare: by(({ judge }) => rounded(judge.filter(Number.isFinite).length / judge.length)),
    falseRollbacksByTest: countsOf(rolledBack.map(({ test = 'none' }) => test)),
    completedShare: rounded(healthy.filter(({ completed }) => completed).length / healthy.length),
    verdictShares: sharesOf(healthy.map(({ verdicts }) => verdicts)),
  };
  return { ...report, broken: brokenOf(report) };
}

interface Jumps {
  /** Seconds from the jump; infinite if it was not detected. */
  judge: number[];
  threshold: number[];
  badChecks: number[];
}

function jumpsTo(results: readonly RunResult[], to: number): Jumps {
  const runs = results.filter(({ run }) => run.kind === 'jump' && run.to === to);
  const since = (at: (result: RunResult['result']) => number | undefined) =>
    runs.map(({ result, faultAt = 0 }) => (at(result) ?? Infinity) - faultAt);
  return {
    judge: since(({ rolledBackAt }) => rolledBackAt),
    threshold: since(({ usual }) => usual.threshold),
    badChecks: since(({ usual }) => usual.badChecks),
  };
}

function brokenOf(report: Omit<RolloutReport, 'broken'>): string[] {
  const { rollouts, falseRollbacks, detectionSeconds, detectedShare } = report;
  const broken =
    falseRollbacks > ROLLOUT_HELD_TO.falseRollbacks * rollouts ? [`${falseRollbacks} false rollbacks`] : [];
  for (const [jump, limit] of Object.entries(ROLLOUT_HELD_TO.seconds)) {
    const seconds = detectionSeconds[jump] ?? null;
    if (seconds === null || seconds > limit)
      broken.push(`${jump}%: detected after ${seconds} s, limit ${limit} s`);
  }
  for (const [jump, least] of Object.entries(ROLLOUT_HELD_TO.detectedShare)) {
    const share = detectedShare[jump] ?? 0;
    if (share < least) broken.push(`${jump}%: detected in ${share} of the runs, at least ${least} required`);
  }
  return broken;
}

export function rolloutText(report: RolloutReport): string {
  const { rollouts, usualRules } = report;
  const seconds = (value: number | null | undefined) => (value == null ? 'not detected' : `${value} s`);
  const jumps = Object.entries(report.detectionSeconds).map(([jump, found]) => {
    const usual = report.usualDetectionSeconds[jump];
    return [
      `${jump}%, median`,
      `${seconds(found)} (${report.detectedShare[jump]} of the runs)`,
      seconds(usual?.overThreshold),
      seconds(usual?.badChecks),
    ];
  });
  return aligned([
    ['', 'judge', 'over 5% in 5 minutes', 'three bad checks in a row'],
    [
      `false rollbacks, of ${rollouts} rollouts`,
      String(report.falseRollbacks),
      `${usualRules.overThreshold.falseRollbacks}`,
      `${usualRules.badChecks.falseRollbacks}`,
    ],
    ...jumps,
    ['reached 100%', String(report.completedShare), '', ''],
  ]).join('\n');
}

function countsOf(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

function sharesOf(counts: readonly Record<string, number>[]): Record<string, number> {
  const total: Record<string, number> = {};
  for (const count of counts) {
    for (const [name, value] of Object.entries(count)) total[name] = (total[name] ?? 0) + value;
  }
  const all = Object.values(total).reduce((sum, value) => sum + value, 0);
  return Object.fromEntries(Object.entries(total).map(([name, value]) => [name, rounded(value / all)]));
}

/** Null if at least half were not detected. */
function median(values: readonly number[]): number | null {
  const middle = [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Infinity;
  return Number.isFinite(middle) ? middle : null;
}

function rounded(value: number): number {
  return Math.round(value * 10_000) / 10_000;
}
