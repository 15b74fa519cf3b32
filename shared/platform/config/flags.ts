import { z } from 'zod';

const flag = z.stringbool();

/** A number from 0 to 100, in digits. */
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
 * The rollout guide's flags, each as the text that its environment variable, an operator's command or a control message has,
 * with its default. An empty text counts as not set.
 */
export const flagTexts = {
  /** The emergency switch: false sends everyone to the legacy path at once. */
  ENABLE_LITELLM: flag.default(true),
  /** Percent of users on LiteLLM. Unset: 0, and 100 in phase 3. */
  LITELLM_PERCENTAGE: percentage.optional(),
  /** 1: only of `TEST_USERS`. 2: of all users. 3: everyone, unless the percentage says less. */
  MIGRATION_PHASE: phase.default(1),
  TEST_USERS: users,
  /** Always legacy. */
  BYPASS_USER: users,
  /** Always LiteLLM, in any phase. */
  FORCE_LITELLM_USER: users,
  /** The cache of each user. */
  ENABLE_CACHE: flag.default(true),
  /** Percent of the users who have one, and of these whose retrieval is cached as well. */
  CACHE_PERCENTAGE: percentage.default(100),
  RAG_CACHE_PERCENTAGE: percentage.default(100),
  /** False: the pieces of a job's context are fetched one after another. */
  ENABLE_PARALLEL: flag.default(true),
  /** Percent of the users on LiteLLM whose pieces are fetched in parallel. */
  PARALLEL_PERCENTAGE: percentage.default(50),
  /** False: the judge only reports that it would roll back. */
  ENABLE_ROLLBACK: flag.default(true),
  /** Percent of a path's jobs that may fail: the alert, and what LiteLLM is measured by where nobody is on the legacy path. */
  ERROR_THRESHOLD: percentage.default(5),
  /** False: no job's stages are timed. */
  ENABLE_DETAILED_METRICS: flag.default(true),
  /** Percent of the jobs whose stages are timed. Counts, errors and usage are of all jobs. */
  METRICS_SAMPLING_RATE: percentage.default(25),
} as const;

const flagsSchema = z.object(flagTexts);
export type Flags = z.infer<typeof flagsSchema>;
export type FlagName = keyof Flags;
export const flagNames = Object.keys(flagTexts) as FlagName[];

/** Flags by name, each as a text; one that is missing or empty has its default. */
export type FlagTexts = Readonly<Record<string, string>>;

export function textsOf(flags: Flags): Record<FlagName, string> {
  const texts = flagNames.map((name) => {
    const value = flags[name];
    return [name, Array.isArray(value) ? value.join(',') : String(value ?? '')];
  });
  return Object.fromEntries(texts) as Record<FlagName, string>;
}

/** The flags that the texts say, or what is wrong with them: one line for each. */
export function readFlags(texts: FlagTexts): Flags | string[] {
  const unknown = Object.keys(texts).filter((name) => !flagNames.includes(name as FlagName));
  const given = Object.entries(texts).filter(([, text]) => text !== '');
  const parsed = flagsSchema.safeParse(Object.fromEntries(given));
  const wrong = (parsed.error?.issues ?? []).map(({ path, message }) => {
    const name = String(path[0]);
    return `${name}: ${JSON.stringify(texts[name])} is not valid: ${message}`;
  });
  const problems = [...unknown.map((name) => `${JSON.stringify(name)} is no flag`), ...wrong];
  return parsed.success && problems.length === 0 ? parsed.data : problems;
}

/** The share of users on LiteLLM that the flags speak of: 0 to 100. */
export function litellmPercentage({
  LITELLM_PERCENTAGE,
  MIGRATION_PHASE,
}: Pick<Flags, 'LITELLM_PERCENTAGE' | 'MIGRATION_PHASE'>): number {
  return LITELLM_PERCENTAGE ?? (MIGRATION_PHASE === 3 ? 100 : 0);
}
