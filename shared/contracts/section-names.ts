import { type Backend } from './decision.ts';

/** The two groups of users that the judge compares. `canary`: on LiteLLM. `control`: on the legacy backend. */
export type Arm = 'canary' | 'control';

/**
 * A kind of bad job that counts at most once per user and span. `saved`: the job's backend failed, and the other one answered or
 * could not be asked. `lost`: both failed. `slow`: the first token came later than 95% of the control arm's first tokens in the
 * previous window.
 */
export type First = 'saved' | 'lost' | 'slow';

const MINUTE_MS = 60_000;

/** A key of the metrics service in the job Redis. All these keys share one hash tag. */
export function metricsKey(prefix: string, name: string): string {
  return `${prefix}:{metrics}:${name}`;
}

/** Names of the expiring hashes that hold counts. */
export const sectionName = {
  segment: (step: number, day: number) => `segment:${step}:${day}`,
  /** Histogram of the time to the first token in one slot: number of jobs by arm and bucket. */
  firstTokens: (step: number, day: number, slot: number) => `first-tokens:${step}:${day}:${slot}`,
  /** Jobs and failures of each backend by minute, for all users together. */
  window: (at: number) => `window:${Math.floor(at / (60 * MINUTE_MS))}`,
} as const;

export const sectionField = {
  jobs: (arm: Arm, slot: number) => `${arm}/jobs/${slot}`,
  failures: (arm: Arm, slot: number) => `${arm}/failures/${slot}`,
  groupJobs: (arm: Arm, group: number) => `${arm}/group-jobs/${group}`,
  groupFailures: (arm: Arm, group: number) => `${arm}/group-failures/${group}`,
  /** Only the Lua script writes these two. */
  users: (arm: Arm) => `${arm}/users`,
  first: (arm: Arm, first: First, slot: number) => `${arm}/${first}/${slot}`,
  firstToken: (arm: Arm, bucket: number) => `${arm}/${bucket}`,
  /** Jobs of the slot are slow from this time to the first token, in milliseconds. */
  slowFrom: (slot: number) => `slow-from/${slot}`,
  windowJobs: (backend: Backend, minute: number) => `${backend}/jobs/${minute}`,
  windowFailures: (backend: Backend, minute: number) => `${backend}/failures/${minute}`,
} as const;
