import type { LoadProcess } from '../load/load-process.ts';
import type { Errors, Sample, Target, TargetResult, UsersTask } from '../load/protocol.ts';
import { added, median, type Percentiles, percentilesOf, round } from '../measure/percentiles.ts';
import { ALONE, CROWD, CROWD_USERS, type BenchPlan, THINK_MS } from '../plan.ts';

export interface Times {
  ttft: Percentiles;
  total: Percentiles;
  requests: number;
}

/** How much longer a request through the target takes than a direct call of LiteLLM. */
export interface AddedTimes {
  /** Differences of the percentiles. */
  ttft: Percentiles;
  total: Percentiles;
  /** The median of the differences between consecutive requests, one through the target and one direct. Only with one user. */
  pairedTtftP50?: number;
}

export interface LatencyFigures {
  /** By target. */
  times: Record<string, Times>;
  /** By target, except LiteLLM itself. */
  added: Record<string, AddedTimes>;
  errors: Errors;
}

/** Measures the targets in turn, one request at a time. The others are compared with the first of `targets`. */
export function measureAlone(
  load: LoadProcess,
  targets: readonly Target[],
  plan: BenchPlan,
): Promise<LatencyFigures> {
  const task = { users: 1, requestsPerTurn: 1, ...plan.alone, shape: ALONE, thinkMs: THINK_MS.alone };
  return measure(load, { kind: 'users', targets, seed: plan.seed, ...task });
}

/** Measures the targets in turn, with 20 concurrent users. */
export function measureCrowd(
  load: LoadProcess,
  targets: readonly Target[],
  plan: BenchPlan,
): Promise<LatencyFigures> {
  const task = { users: CROWD_USERS, ...plan.crowd, shape: CROWD, thinkMs: THINK_MS.crowd };
  return measure(load, { kind: 'users', targets, seed: plan.seed, ...task });
}

/** Requests to each target that are not counted. */
const WARM_UP_ROUNDS = 15;

async function measure(load: LoadProcess, task: UsersTask): Promise<LatencyFigures> {
  const warmUp = await load.run({
    ...task,
    shape: ALONE,
    users: 1,
    rounds: WARM_UP_ROUNDS,
    requestsPerTurn: 1,
  });
  const results = await load.run(task);
  const silent = results.find(({ completed }) => completed === 0);
  if (silent) throw new Error(`${silent.target} completed no requests: ${JSON.stringify(silent.errors)}`);
  return toFigures(results, allErrors([...warmUp, ...results]), task.users === 1);
}

export function toFigures(results: readonly TargetResult[], errors: Errors, paired: boolean): LatencyFigures {
  const [direct, ...others] = results;
  if (!direct) throw new Error('There is no target to compare with');
  const times = Object.fromEntries(results.map(({ target, samples }) => [target, toTimes(samples)]));
  const differences = others.map(({ target, samples }) => {
    const [longer, base] = [toTimes(samples), toTimes(direct.samples)];
    const pairs = paired ? { pairedTtftP50: pairedMedian(samples, direct.samples) } : {};
    return [
      target,
      { ttft: added(longer.ttft, base.ttft), total: added(longer.total, base.total), ...pairs },
    ];
  });
  return { times, added: Object.fromEntries(differences) as Record<string, AddedTimes>, errors };
}

function toTimes(samples: readonly Sample[]): Times {
  return {
    ttft: percentilesOf(samples.map(({ ttft }) => ttft)),
    total: percentilesOf(samples.map(({ total }) => total)),
    requests: samples.length,
  };
}

function pairedMedian(samples: readonly Sample[], direct: readonly Sample[]): number {
  const base = new Map(direct.map((sample) => [sample.round, sample.ttft]));
  return round(
    median(samples.flatMap(({ ttft, round: at }) => (base.has(at) ? [ttft - (base.get(at) ?? 0)] : []))),
  );
}

export function allErrors(results: readonly Pick<TargetResult, 'target' | 'errors'>[]): Errors {
  const sum: Errors = {};
  for (const { target, errors } of results) {
    for (const [what, count] of Object.entries(errors)) {
      const key = `${target}: ${what}`;
      sum[key] = (sum[key] ?? 0) + count;
    }
  }
  return sum;
}
