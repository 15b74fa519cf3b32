import { z } from 'zod';
import { readYaml } from '../../platform/config/yaml-file.ts';

const name = z.string().trim().min(1, 'must not be empty').max(200);
const count = z.int().min(1).max(1_000_000_000);
const bytes = z.int().min(1).max(Number.MAX_SAFE_INTEGER);

const dollars = z.number().min(0.000001).max(1_000_000_000);

/** A model name, `gpt-5`, or a prefix, `gpt-5*`. */
const modelPattern = name.regex(/^[^*]*\*?$/, 'may contain one *, at the end');

const budget = z.strictObject({
  daily_usd: dollars.optional(),
  monthly_usd: dollars.optional(),
  daily_tokens: count.optional(),
  monthly_tokens: count.optional(),
});
/** Limits by UTC days and months. */
export type Budget = Readonly<z.infer<typeof budget>>;

const grant = z.strictObject({
  /** Models that the user may use. Absent: the next grant applies (user, then groups, then default). */
  models: z.array(modelPattern).max(1_000).optional(),
  /** Share of scarce resources: a user with weight 2 gets twice as much as a user with weight 1. */
  weight: z.number().min(0.01).max(100).optional(),
  requests_per_minute: count.optional(),
  tokens_per_minute: count.optional(),
  /** Jobs that may run at the same time; others wait. */
  concurrent_jobs: count.optional(),
  /** Jobs that may wait or run; further ones are rejected. */
  queued_jobs: count.optional(),
  /** Total bytes of the requests and documents of those jobs. */
  queued_bytes: bytes.optional(),
  /** Total bytes of a user's uploaded files and stored answers. */
  stored_bytes: bytes.optional(),
  budget: budget.optional(),
});
export type Grant = Readonly<z.infer<typeof grant>>;

const policyFile = z.strictObject({
  /** Applies to all users. */
  default: grant.default({}),
  /** Grants for each member of a group. `shared_budget`: what all members together may spend. */
  groups: z.record(name, grant.extend({ shared_budget: budget.optional() })).default({}),
  users: z.record(name, grant).default({}),
});
export type PolicyFile = Readonly<z.infer<typeof policyFile>>;

/** The policy without any restrictions. */
export const OPEN_POLICY: PolicyFile = { default: {}, groups: {}, users: {} };

const MAX_CHARACTERS = 8 * 1024 * 1024;

/** Parses the YAML text of a policy. Returns the policy or all problems. */
export function readPolicy(yaml: string): { value: PolicyFile } | { problems: string[] } {
  return readYaml(policyFile, yaml, MAX_CHARACTERS);
}
