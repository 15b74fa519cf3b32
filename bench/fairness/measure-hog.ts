import type { MeasuredTurnout } from '../bench-system.ts';
import { allOf, keyOf, queueJob, timeJob } from './calls.ts';
import { quantileOf } from './jain.ts';
import type { FAIRNESS_PLAN } from './plan.ts';

export interface HogFindings {
  /** Jobs that were still queued after the last job of the other user was measured. */
  leftOver: number;
  /** Milliseconds that the other user's jobs waited, without the simulated time to the first token: alone (`idle`) and with the backlog (`beside`). */
  idle: { p50: number; p99: number };
  beside: { p50: number; p99: number };
  /** Milliseconds that one job takes without other load. */
  jobMs: number;
  /** The limit of `beside.p99`: twice `idle.p99`, plus the duration of a job. */
  allowedMs: number;
}

const [OTHER, HOG] = [0, 1];
const POSTS_AT_ONCE = 32;

/** One user queues thousands of jobs. Then single jobs of another user are measured, one after the other, in the same class. */
export async function measureHog(
  { target }: MeasuredTurnout,
  { jobs, samples, knobs }: typeof FAIRNESS_PLAN.hog,
  backlog: () => Promise<number>,
): Promise<HogFindings> {
  const { baseUrl } = target;
  const text = `[[sim: ttft=${knobs.ttft}; tokens=${knobs.tokens}; tps=${knobs.tps}]] My seat is 5. What is my seat?`;
  const asOther = { baseUrl, key: keyOf(target, OTHER), text };
  const alone = await sample(asOther, samples);
  const numbers = Array.from({ length: jobs }, (_, number) => number);
  await allOf(numbers, POSTS_AT_ONCE, (number) =>
    queueJob({ baseUrl, key: keyOf(target, HOG), text: `${text} ${number}` }),
  );
  const crowded = await sample(asOther, samples);
  const leftOver = await backlog();
  const waits = (times: typeof alone) => times.map(({ firstMs }) => Math.max(0, firstMs - knobs.ttft));
  const figures = (values: number[]) => ({ p50: quantileOf(values, 0.5), p99: quantileOf(values, 0.99) });
  const idle = figures(waits(alone));
  const jobMs = quantileOf(
    alone.map(({ totalMs }) => totalMs),
    0.5,
  );
  return { leftOver, idle, beside: figures(waits(crowded)), jobMs, allowedMs: 2 * idle.p99 + jobMs };
}

async function sample(asked: Parameters<typeof timeJob>[0], count: number) {
  const times: Awaited<ReturnType<typeof timeJob>>[] = [];
  for (let at = 0; at < count; at += 1) times.push(await timeJob({ ...asked, text: `${asked.text} ${at}` }));
  return times;
}
