import { type Percentiles, percentilesOf } from '../support/timings.ts';
import { type Failure, mostFailures } from './failures.ts';
import { type Verdict } from './judge.ts';
import { type Kind } from './plan.ts';
import { type HeldTo, holdToTargets } from './targets.ts';

/** The effects of one kind of fault. Times are milliseconds. */
export interface KindTally {
  kind: Kind;
  faults: number;
  jobs: number;
  completed: number;
  failed: number;
  /** Failed jobs for which no better outcome was possible. */
  failedByDesign: number;
  /** The other failed jobs, by error code. */
  failures: Record<string, number>;
  cancelled: number;
  refused: number;
  unseen: number;
  lost: number;
  doubled: number;
  torn: number;
  duplicateUpstreamCalls: number;
  usageDifference: number;
  recoveryMs: Percentiles | null;
}

/** The content of `.turnout/reports/faults.json`. */
export interface FaultReport {
  seed: number;
  jobs: number;
  faults: number;
  lost: number;
  doubled: number;
  torn: number;
  duplicateUpstreamCalls: number;
  /** Tokens. */
  usageDifference: number;
  recoveryMs: Percentiles | null;
  byKind: KindTally[];
  /** The target recovery times. */
  heldTo: HeldTo[];
  /** Kinds of fault under which too many jobs failed, in words. */
  tooManyFailures: string[];
  /** What is wrong with single jobs, and what single faults found wrong, in words. */
  complaints: string[];
  /** What is wrong after everything has ended, in words. */
  leftovers: string[];
  at: string;
  seconds: number;
}

export interface RoundResult {
  kind: Kind;
  verdicts: readonly Verdict[];
  failures: readonly Failure[];
  /** The longest silences of clients. */
  recoveryMs: readonly number[];
  /** What the fault itself found wrong after the round's jobs had ended, in words. */
  found: readonly string[];
}

function tallyKinds(rounds: readonly RoundResult[]): KindTally[] {
  const groups = Map.groupBy(rounds, ({ kind }) => kind);
  return [...groups].map(([kind, group]) => tallyKind(kind, group));
}

function tallyKind(kind: Kind, rounds: readonly RoundResult[]): KindTally {
  const verdicts = rounds.flatMap((round) => round.verdicts);
  const failures = rounds.flatMap((round) => round.failures);
  const having = (status: Verdict['status']) =>
    verdicts.filter((verdict) => verdict.status === status).length;
  return {
    kind,
    faults: rounds.length,
    jobs: verdicts.length,
    completed: having('completed'),
    failed: having('failed'),
    failedByDesign: failures.filter(({ byDesign }) => byDesign).length,
    failures: countCodes(failures.filter(({ byDesign }) => !byDesign)),
    cancelled: having('cancelled'),
    refused: having('refused'),
    unseen: having('unseen'),
    lost: verdicts.filter(({ lost }) => lost).length,
    doubled: verdicts.filter(({ doubled }) => doubled).length,
    torn: verdicts.filter(({ torn }) => torn).length,
    duplicateUpstreamCalls: sum(verdicts.map(({ duplicateCalls }) => duplicateCalls)),
    usageDifference: sum(verdicts.map((verdict) => verdict.usageDifference)),
    recoveryMs: percentilesOf(rounds.flatMap(({ recoveryMs }) => recoveryMs)),
  };
}

export function toReport(
  rounds: readonly RoundResult[],
  rest: Pick<FaultReport, 'seed' | 'leftovers' | 'at' | 'seconds'>,
): FaultReport {
  const byKind = tallyKinds(rounds);
  const total = (
    field: 'jobs' | 'faults' | 'lost' | 'doubled' | 'torn' | 'duplicateUpstreamCalls' | 'usageDifference',
  ) => sum(byKind.map((tally) => tally[field]));
  return {
    seed: rest.seed,
    jobs: total('jobs'),
    faults: total('faults'),
    lost: total('lost'),
    doubled: total('doubled'),
    torn: total('torn'),
    duplicateUpstreamCalls: total('duplicateUpstreamCalls'),
    usageDifference: total('usageDifference'),
    recoveryMs: percentilesOf(rounds.flatMap(({ recoveryMs }) => recoveryMs)),
    byKind,
    heldTo: holdToTargets(byKind),
    tooManyFailures: byKind.flatMap(judgeFailures),
    complaints: rounds.flatMap(complaintsOf),
    leftovers: rest.leftovers,
    at: rest.at,
    seconds: rest.seconds,
  };
}

/**
 * Each lost, doubled or torn job, each unexplained call and each call without a usage is a complaint. Times do not count: they depend on
 * the machine as much as on the system.
 */
export function isClean(report: FaultReport): boolean {
  const { usageDifference, complaints, leftovers, tooManyFailures } = report;
  return usageDifference + complaints.length + leftovers.length + tooManyFailures.length === 0;
}

export function complaintsOf({ kind, verdicts, found }: RoundResult): string[] {
  const ofJobs = verdicts.flatMap(({ complaints }) => complaints);
  return [...ofJobs, ...found.map((words) => `${kind}: ${words}`)];
}

function countCodes(failures: readonly Failure[]): Record<string, number> {
  const byCode = Map.groupBy(failures, ({ code }) => code);
  return Object.fromEntries([...byCode].map(([code, some]) => [code, some.length]));
}

function judgeFailures({ kind, jobs, failures }: KindTally): string[] {
  const [count, most] = [sum(Object.values(failures)), mostFailures(jobs)];
  return count <= most
    ? []
    : [
        `${kind}: ${count} of ${jobs} jobs failed that need not have, not ${most}: ${JSON.stringify(failures)}`,
      ];
}

const COLUMNS = [
  'faults',
  'jobs',
  'completed',
  'failed',
  'failedByDesign',
  'cancelled',
  'refused',
  'unseen',
  'lost',
  'doubled',
  'torn',
] as const satisfies readonly (keyof KindTally)[];

const TITLES: Partial<Record<keyof KindTally, string>> = { failedByDesign: 'by design' };

export function toTable({ byKind }: FaultReport): string {
  const head = [
    'fault',
    ...COLUMNS.map((column) => TITLES[column] ?? column),
    'duplicate calls',
    'recovery p50',
    'p99',
  ];
  const rows = byKind.map((tally) => [
    tally.kind,
    ...COLUMNS.map((column) => String(tally[column])),
    String(tally.duplicateUpstreamCalls),
    milliseconds(tally.recoveryMs?.p50),
    milliseconds(tally.recoveryMs?.p99),
  ]);
  const widths = head.map((title, at) =>
    Math.max(...[head, ...rows].map((row) => (row[at] ?? title).length)),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0)))
      .join('  ');
  return [head, ...rows].map(line).join('\n');
}

function milliseconds(value: number | undefined): string {
  return value === undefined ? '-' : `${value.toFixed(0)} ms`;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
