import { z } from 'zod';
import { readYaml } from '../../platform/config/yaml-file.ts';

const name = z.string().trim().min(1, 'must not be empty').max(200);
const count = z.int().min(1).max(1_000_000_000);
const bytes = z.int().min(1).max(Number.MAX_SAFE_INTEGER);

const dollars = z.number().min(0.000001).max(1_000_000_000);

/** `gpt-5`, or all that begin so: `gpt-5*`. */
const modelPattern = name.regex(/^[^*]*\*?$/, 'may have one *, at its end');

const budget = z.strictObject({
  daily_usd: dollars.optional(),
  monthly_usd: dollars.optional(),
  daily_tokens: count.optional(),
  monthly_tokens: count.optional(),
});
/** By UTC days and months. */
export type Budget = Readonly<z.infer<typeof budget>>;

const grant = z.strictObject({
  /** Models that he may use; without it, whatever the grants below this one say. */
  models: z.array(modelPattern).max(1_000).optional(),
  /** Of what is scarce, somebody with weight 2 gets twice as much as somebody with 1. */
  weight: z.number().min(0.01).max(100).optional(),
  requests_per_minute: count.optional(),
  tokens_per_minute: count.optional(),
  /** Jobs that run at a time; others wait. */
  concurrent_jobs: count.optional(),
  /** Jobs that wait or run; what comes on top is refused. */
  queued_jobs: count.optional(),
  /** Bytes of the requests and documents of those jobs. */
  queued_bytes: bytes.optional(),
  /** Bytes that all uploaded files and stored answers of a user may have together. */
  stored_bytes: bytes.optional(),
  budget: budget.optional(),
});
export type Grant = Readonly<z.infer<typeof grant>>;

const policyFile = z.strictObject({
  /** Holds for everybody. */
  default: grant.default({}),
  /** Of each member. `shared_budget`: what all of them together may spend. */
  groups: z.record(name, grant.extend({ shared_budget: budget.optional() })).default({}),
  users: z.record(name, grant).default({}),
});
export type PolicyFile = Readonly<z.infer<typeof policyFile>>;

/** Everybody may do everything. */
export const OPEN_POLICY: PolicyFile = { default: {}, groups: {}, users: {} };

const MAX_CHARACTERS = 8 * 1024 * 1024;

/** The policy of a YAML text, or everything that is wrong with it. */
export function readPolicy(yaml: string): { value: PolicyFile } | { problems: string[] } {
  return readYaml(policyFile, yaml, MAX_CHARACTERS);
}
