import { type Budget, type Grant, type PolicyFile } from './policy-file.ts';
import { type Principal } from './principal.ts';

/** The permissions and limits of a user. An undefined limit means unlimited, unless stated otherwise. */
export interface Entitlement {
  mayUseModel: (model: string) => boolean;
  /** The user's share of scarce resources, relative to other users' weights. */
  weight: number;
  requestsPerMinute: number | undefined;
  tokensPerMinute: number | undefined;
  /** Jobs that may run at the same time. */
  concurrentJobs: number | undefined;
  /** Jobs that may wait or run. */
  queuedJobs: number | undefined;
  /** Total bytes of those jobs; undefined: `MAX_OPEN_BYTES_PER_USER`. */
  queuedBytes: number | undefined;
  /** Total bytes of uploaded files and stored answers; undefined: `MAX_STORED_BYTES_PER_USER`. */
  storedBytes: number | undefined;
  /** The user's own budget, and the shared budgets of their groups. */
  budgets: readonly AccountBudget[];
}

export interface AccountBudget extends Budget {
  /** The group whose members share the budget; undefined: the user's own budget. */
  group: string | undefined;
}

type Who = Pick<Principal, 'user' | 'groups'>;

/**
 * Resolves each field separately: the user's own entry wins, then the most generous value of their groups, then the default. The models
 * of all groups are combined.
 */
export function entitlementOf(policy: PolicyFile, { user, groups }: Who): Entitlement {
  const own = policy.users[user] ?? {};
  const ofGroups = groups.flatMap((group) => policy.groups[group] ?? []);
  const most = (field: NumericField) => mostOf(field, own, ofGroups, policy.default);
  const models = own.models ?? union(ofGroups) ?? policy.default.models ?? ['*'];
  const budget = own.budget ?? mostGenerous(ofGroups) ?? policy.default.budget;
  return {
    mayUseModel: (model) => models.some((pattern) => fits(pattern, model)),
    weight: most('weight') ?? 1,
    requestsPerMinute: most('requests_per_minute'),
    tokensPerMinute: most('tokens_per_minute'),
    concurrentJobs: most('concurrent_jobs'),
    queuedJobs: most('queued_jobs'),
    queuedBytes: most('queued_bytes'),
    storedBytes: most('stored_bytes'),
    budgets: [
      ...(budget ? [{ group: undefined, ...budget }] : []),
      ...groups.flatMap((group) => {
        const shared = policy.groups[group]?.shared_budget;
        return shared ? [{ group, ...shared }] : [];
      }),
    ],
  };
}

type NumericField = {
  [Field in keyof Grant]-?: number extends Exclude<Grant[Field], undefined> ? Field : never;
}[keyof Grant];

function mostOf(
  field: NumericField,
  own: Grant,
  ofGroups: readonly Grant[],
  common: Grant,
): number | undefined {
  const stated = ofGroups.flatMap((grant) => grant[field] ?? []);
  return own[field] ?? (stated.length > 0 ? Math.max(...stated) : common[field]);
}

function union(grants: readonly Grant[]): readonly string[] | undefined {
  const stated = grants.flatMap(({ models }) => (models ? [models] : []));
  return stated.length > 0 ? stated.flat() : undefined;
}

const BUDGET_FIELDS = ['daily_usd', 'monthly_usd', 'daily_tokens', 'monthly_tokens'] as const;

/** The highest amount of each budget line; a line is unlimited if one group does not limit it. */
function mostGenerous(grants: readonly Grant[]): Budget | undefined {
  const stated = grants.flatMap(({ budget }) => budget ?? []);
  if (stated.length === 0) return undefined;
  return Object.fromEntries(
    BUDGET_FIELDS.flatMap((field) => {
      const amounts = stated.map((budget) => budget[field]);
      return amounts.includes(undefined) ? [] : [[field, Math.max(...amounts.map(Number))]];
    }),
  );
}

function fits(pattern: string, model: string): boolean {
  return pattern.endsWith('*') ? model.startsWith(pattern.slice(0, -1)) : model === pattern;
}
