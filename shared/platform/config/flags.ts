import { z } from 'zod';

const flag = z.stringbool();

/** A decimal number from 0 to 100. */
export const percentage = z
  .string()
  .regex(/^\d{1,3}(\.\d+)?$/, 'must be a number from 0 to 100')
  .transform(Number)
  .pipe(z.number().max(100));

const users = z
  .string()
  .transform((ids) => [...new Set(ids.split(',').map((id) => id.trim()))])
  .refine((ids) => !ids.includes(''), { error: 'must be user ids, comma-separated' })
  .default([]);

const phase = z.enum(['1', '2', '3'], 'must be 1, 2 or 3').transform((text) => Number(text) as 1 | 2 | 3);

/**
 * The rollout guide's flags with their defaults. Each is parsed from text: from its environment variable, an operator's command or
 * a control message. An empty text counts as not set.
 */
export const flagTexts = {
  /** The emergency switch: false sends all users to the legacy backend at once. */
  ENABLE_LITELLM: flag.default(true),
  /** Percent of users on LiteLLM. Unset: 100 in phase 3, otherwise 0. */
  LITELLM_PERCENTAGE: percentage.optional(),
  /** 1: the percentage applies to `TEST_USERS` only. 2: to all users. 3: all users are on LiteLLM, unless a percentage is set. */
  MIGRATION_PHASE: phase.default(1),
  /** The users of phase 1, comma-separated. */
  TEST_USERS: users,
  /** Users who are always on the legacy backend. */
  BYPASS_USER: users,
  /** Users who are always on LiteLLM, in any phase. */
  FORCE_LITELLM_USER: users,
  /** The per-user cache. */
  ENABLE_CACHE: flag.default(true),
  /** Percent of the users who have a cache. */
  CACHE_PERCENTAGE: percentage.default(100),
  /** Percent of the users with a cache whose retrieval and embeddings are cached as well. */
  RAG_CACHE_PERCENTAGE: percentage.default(100),
  /** False: the pieces of a job's context are fetched one after another. */
  ENABLE_PARALLEL: flag.default(true),
  /** Percent of users on LiteLLM whose pieces are fetched in parallel. */
  PARALLEL_PERCENTAGE: percentage.default(50),
  /** False: the judge only reports what it would do. */
  ENABLE_ROLLBACK: flag.default(true),
  /** Acceptable failure rate of a backend in percent: threshold of the alert, and LiteLLM's bound when no user is on the legacy backend. */
  ERROR_THRESHOLD: percentage.default(5),
  /** False: the stages of jobs are not timed. */
  ENABLE_DETAILED_METRICS: flag.default(true),
  /** Percent of jobs whose stages are timed. Counts, errors and usage always cover all jobs. */
  METRICS_SAMPLING_RATE: percentage.default(25),
} as const;

const flagsSchema = z.object(flagTexts);
export type Flags = z.infer<typeof flagsSchema>;
export type FlagName = keyof Flags;
export const flagNames = Object.keys(flagTexts) as FlagName[];

/** Flags by name, with their values as text. A missing or empty flag has its default. */
export type FlagTexts = Readonly<Record<string, string>>;

export function textsOf(flags: Flags): Record<FlagName, string> {
  const texts = flagNames.map((name) => {
    const value = flags[name];
    return [name, Array.isArray(value) ? value.join(',') : String(value ?? '')];
  });
  return Object.fromEntries(texts) as Record<FlagName, string>;
}

/** Parses flags, or returns the problems, one line for each. */
export function readFlags(texts: FlagTexts): Flags | string[] {
  const unknown = Object.keys(texts).filter((name) => !flagNames.includes(name as FlagName));
  const given = Object.entries(texts).filter(([, text]) => text !== '');
  const parsed = flagsSchema.safeParse(Object.fromEntries(given));
  const wrong = (parsed.error?.issues ?? []).map(({ path, message }) => {
    const name = String(path[0]);
    return `${name}: ${JSON.stringify(texts[name])} is not valid: ${message}`;
  });
  const problems = [...unknown.map((name) => `${JSON.stringify(name)} is not a flag`), ...wrong];
  return parsed.success && problems.length === 0 ? parsed.data : problems;
}

/** The percentage of users on LiteLLM according to the flags: 0 to 100. */
export function litellmPercentage({
  LITELLM_PERCENTAGE,
  MIGRATION_PHASE,
}: Pick<Flags, 'LITELLM_PERCENTAGE' | 'MIGRATION_PHASE'>): number {
  return LITELLM_PERCENTAGE ?? (MIGRATION_PHASE === 3 ? 100 : 0);
}
