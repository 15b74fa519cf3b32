import { ROLLOUT_PLAN } from './plan.ts';

export type RandomSource = () => number;

/** Users with unequal shares of jobs and failures. Each has a fixed position between 0 and 1 (`place`), which determines their arm. */
export interface Population {
  /** Draws the user of the next job. */
  draw: () => number;
  bucket: Float64Array;
  /** The failure rate of each user, as a multiple of the mean. */
  failing: Float64Array;
}

export interface Outage {
  /** Seconds since the start of the simulation. */
  from: number;
  until: number;
  /** The share of calls that fail, on both backends. */
  severity: number;
}

export function populate(users: number, random: RandomSource): Population {
  const weights = logNormals(users, ROLLOUT_PLAN.heavyTails.jobs, random);
  const failing = logNormals(users, ROLLOUT_PLAN.heavyTails.failures, random);
  const jobs = weights.reduce((sum, weight) => sum + weight, 0);
  const mean = weights.reduce((sum, weight, user) => sum + weight * (failing[user] ?? 0), 0) / jobs;
  return {
    draw: createDraw(weights, random),
    bucket: Float64Array.from({ length: users }, random),
    failing: failing.map((factor) => factor / mean),
  };
}

export function outagesOf(days: number, random: RandomSource): Outage[] {
  const { everyDays, minutes, severity } = ROLLOUT_PLAN.healthy.outages;
  const outages: Outage[] = [];
  for (let at = 0; ;) {
    at += -Math.log(1 - random()) * everyDays * 86_400;
    if (at > days * 86_400) return outages;
    const until = at + logUniform(minutes, random) * 60;
    outages.push({ from: at, until, severity: uniform(severity, random) });
  }
}

/** Draws the number of jobs in a tick. */
export function arrivals(mean: number, random: RandomSource): number {
  if (mean > 50) return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal(random)));
  const limit = Math.exp(-mean);
  let count = 0;
  for (let product = random(); product > limit; product *= random()) count += 1;
  return count;
}

export function swing(second: number): number {
  return 1 + ROLLOUT_PLAN.dailySwing * Math.sin((2 * Math.PI * second) / 86_400);
}

export function uniform([low, high]: readonly [number, number], random: RandomSource): number {
  return low + (high - low) * random();
}

export function logUniform([low, high]: readonly [number, number], random: RandomSource): number {
  return low * (high / low) ** random();
}

function logNormals(count: number, deviation: number, random: RandomSource): Float64Array {
  return Float64Array.from({ length: count }, () => Math.exp(deviation * normal(random)));
}

/** Box-Muller transform. */
function normal(random: RandomSource): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** Vose's alias method: draws in constant time, with probabilities proportional to the weights. */
function createDraw(weights: Float64Array, random: RandomSource): () => number {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const scaled = weights.map((weight) => (weight * weights.length) / total);
  const alias = new Int32Array(weights.length);
  const small: number[] = [];
  const large: number[] = [];
  scaled.forEach((weight, user) => (weight < 1 ? small : large).push(user));
  for (let less = small.pop(); less !== undefined; less = small.pop()) {
    const more = large.pop();
    if (more === undefined) break;
    alias[less] = more;
    scaled[more] = (scaled[more] ?? 0) + (scaled[less] ?? 0) - 1;
    ((scaled[more] ?? 0) < 1 ? small : large).push(more);
  }
  return () => {
    const user = Math.floor(random() * weights.length);
    return random() < (scaled[user] ?? 1) ? user : (alias[user] ?? user);
  };
}
