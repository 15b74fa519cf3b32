import type { BenchSystem, Measured } from '../bench-system.ts';
import type { LoadProcess } from '../load/load-process.ts';
import type { Errors, SaturationTask, RequestShape, TargetResult } from '../load/protocol.ts';
import { type Percentiles, percentilesOf } from '../measure/percentiles.ts';
import { cpuPerJob, type Pids, rssOf, type Usages, usageOfProcess } from '../measure/process-usage.ts';
import type { BenchPlan } from '../plan.ts';
import { allErrors } from './latency.ts';

export interface Saturation {
  perSecond: number;
  /** The rate of each round, in order. It shows the variation. */
  rounds: number[];
  total: Percentiles;
  /** CPU milliseconds per job, by process: the target's processes, the infrastructure and the load client. */
  cpuMsPerJob: Record<string, number>;
  /** Resident memory in MiB at the end of the last round. */
  rssMb: Record<string, number>;
}

export interface ThroughputFigures {
  byTarget: Record<string, Saturation>;
  errors: Errors;
}

interface Round {
  result: TargetResult;
  before: Usages;
  after: Usages;
}

/**
 * Runs a closed loop against each target in turn, for several rounds, so that a drift of the machine affects all targets equally. Every other
 * round runs in the reverse order, so that no target always follows another one.
 */
export async function measureThroughput(
  { load, system, plan }: { load: LoadProcess; system: BenchSystem; plan: BenchPlan },
  measured: readonly Pick<Measured, 'target' | 'pids'>[],
  shape: RequestShape,
): Promise<ThroughputFigures> {
  const rounds = new Map<string, Round[]>(measured.map(({ target }) => [target.name, []]));
  for (let round = 0; round < plan.saturation.rounds; round += 1) {
    for (const { target, pids } of round % 2 === 0 ? measured : measured.toReversed()) {
      const all = { ...pids, ...system.infrastructure, client: load.pid };
      const task = {
        kind: 'saturation',
        target,
        shape,
        ...plan.saturation,
        warmUpMs: warmUpOf(plan, round),
      } as const;
      rounds.get(target.name)?.push(await saturateOnce(load, task, all));
    }
  }
  return {
    byTarget: Object.fromEntries([...rounds].map(([name, list]) => [name, toSaturation(list)])),
    errors: allErrors([...rounds.values()].flat().map(({ result }) => result)),
  };
}

function warmUpOf({ saturation }: BenchPlan, round: number): number {
  return round === 0 ? saturation.firstWarmUpMs : saturation.warmUpMs;
}

async function saturateOnce(load: LoadProcess, task: SaturationTask, pids: Pids): Promise<Round> {
  const looks: Record<'counting' | 'counted', Usages> = { counting: {}, counted: {} };
  const [result] = await load.run(task, (phase) => (looks[phase] = usageOfProcess(pids)));
  if (!result?.completed)
    throw new Error(`${task.target.name} completed no requests: ${JSON.stringify(result?.errors)}`);
  return { result, before: looks.counting, after: looks.counted };
}

function toSaturation(rounds: readonly Round[]): Saturation {
  const jobs = rounds.reduce((sum, { result }) => sum + result.completed, 0);
  const seconds = rounds.reduce((sum, { result }) => sum + result.elapsedMs, 0) / 1_000;
  const rate = (count: number, time: number): number => Math.round((count / time) * 10) / 10;
  return {
    perSecond: rate(jobs, seconds),
    rounds: rounds.map(({ result }) => rate(result.completed, result.elapsedMs / 1_000)),
    total: percentilesOf(rounds.flatMap(({ result }) => result.samples.map(({ total }) => total))),
    cpuMsPerJob: meanOver(
      rounds.map((round) => cpuPerJob(round.before, round.after, round.result.completed)),
    ),
    rssMb: rssOf(rounds.at(-1)?.after ?? {}),
  };
}

function meanOver(records: readonly Record<string, number>[]): Record<string, number> {
  const names = Object.keys(records[0] ?? {});
  const mean = (name: string): number =>
    records.reduce((sum, record) => sum + (record[name] ?? 0), 0) / records.length;
  return Object.fromEntries(names.map((name) => [name, Math.round(mean(name) * 100) / 100]));
}
