import { generator, seedOf } from '../../test/upstream/core/random.ts';
import { ROLLOUT_PLAN } from './plan.ts';
import { type RolloutResult, simulateRollout } from './rollout.ts';
import { logUniform, outagesOf, populate, uniform } from './world.ts';

/** One run: a healthy rollout, or a jump of the canary's failure rate to `to` percent. */
export type Run = { kind: 'healthy'; number: number } | { kind: 'jump'; to: number; number: number };

export type RunResult = { run: Run; result: RolloutResult; faultAt: number | undefined };

export function allRuns(): Run[] {
  const { healthy, jumps } = ROLLOUT_PLAN;
  const numbers = (count: number) => Array.from({ length: count }, (_, number) => number);
  return [
    ...numbers(healthy.rollouts).map((number): Run => ({ kind: 'healthy', number })),
    ...jumps.to.flatMap((to) => numbers(jumps.runs).map((number): Run => ({ kind: 'jump', to, number }))),
  ];
}

export function simulate(run: Run): RunResult {
  return run.kind === 'healthy' ? healthyRun(run) : jumpRun(run);
}

function healthyRun(run: Extract<Run, { kind: 'healthy' }>): RunResult {
  const { days, steps, dwellHours, jobsPerSecond, users, errorRate, tickS } = ROLLOUT_PLAN.healthy;
  const random = generator(seedOf(String(ROLLOUT_PLAN.seed), 'healthy', String(run.number)));
  const result = simulateRollout({
    population: populate(Math.round(logUniform(users, random)), random),
    jobsPerSecond: logUniform(jobsPerSecond, random),
    errorRate: logUniform(errorRate, random),
    outages: outagesOf(days, random),
    fault: undefined,
    steps,
    dwellS: dwellHours * 3_600,
    endS: days * 86_400,
    judgedFromS: 0,
    tickS,
    random,
  });
  return { run, result, faultAt: undefined };
}

function jumpRun(run: Extract<Run, { kind: 'jump' }>): RunResult {
  const { at, share, jobsPerSecond, users, errorRate, watchHours, tickS } = ROLLOUT_PLAN.jumps;
  const random = generator(seedOf(String(ROLLOUT_PLAN.seed), 'jump', String(run.to), String(run.number)));
  const faultAt = Math.round((uniform(at, random) * 3_600) / tickS) * tickS;
  const to = run.to / 100;
  const result = simulateRollout({
    population: populate(users, random),
    jobsPerSecond,
    errorRate,
    outages: [],
    steps: [share],
    dwellS: Infinity,
    tickS,
    random,
    fault: { from: faultAt, rate: (to - errorRate) / (1 - errorRate) },
    endS: faultAt + watchHours * 3_600,
    judgedFromS: faultAt,
  });
  return { run, result, faultAt };
}
