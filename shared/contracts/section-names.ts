import { type Backend } from './decision.ts';

/** `canary`: on LiteLLM. `control`: on the legacy path. */
export type Arm = 'canary' | 'control';

/**
 * What happened to a job that counts once for each user in a span. `saved`: its path failed and the other one answered, or could
 * not be asked. `lost`: both failed. `slow`: its first token came later than 95% of the control arm's in the window before.
 */
export type First = 'saved' | 'lost' | 'slow';

const MINUTE_MS = 60_000;

/** Where the metrics service keeps something in the job Redis; all of it shares one hash tag. */
export function metricsKey(prefix: string, name: string): string {
  return `${prefix}:{metrics}:${name}`;
}

/** Hashes of counts that are kept for a while. */
export const sectionName = {
  segment: (step: number, day: number) => `segment:${step}:${day}`,
  /** Times to the first token, in one slot: by arm and bucket, jobs. */
  firstTokens: (step: number, day: number, slot: number) => `first-tokens:${step}:${day}:${slot}`,
  /** Jobs of a path and those that it failed, by minute, whoever sent them. */
  window: (at: number) => `window:${Math.floor(at / (60 * MINUTE_MS))}`,
} as const;

export const sectionField = {
  jobs: (arm: Arm, slot: number) => `${arm}/jobs/${slot}`,
  failures: (arm: Arm, slot: number) => `${arm}/failures/${slot}`,
  groupJobs: (arm: Arm, group: number) => `${arm}/group-jobs/${group}`,
  groupFailures: (arm: Arm, group: number) => `${arm}/group-failures/${group}`,
  /** Those two the script keeps. */
  users: (arm: Arm) => `${arm}/users`,
  first: (arm: Arm, first: First, slot: number) => `${arm}/${first}/${slot}`,
  firstToken: (arm: Arm, bucket: number) => `${arm}/${bucket}`,
  /** From how many milliseconds on a job of the slot is slow. */
  slowFrom: (slot: number) => `slow-from/${slot}`,
  windowJobs: (backend: Backend, minute: number) => `${backend}/jobs/${minute}`,
  windowFailures: (backend: Backend, minute: number) => `${backend}/failures/${minute}`,
} as const;
