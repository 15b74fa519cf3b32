import { type FastifyInstance, type FastifyRequest } from 'fastify';
import { z } from 'zod';
import { type Entitlement } from '../../../shared/policy/access/entitlement.ts';
import { type Principal } from '../../../shared/policy/access/principal.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { account } from '../../../shared/policy/usage/ledger-sections.ts';
import { nameOfPeriod, type Period, periods } from '../../../shared/policy/usage/periods.ts';
import { type UsageTotals, type UsageFigures } from '../../../shared/policy/usage/read-usage.ts';
import { storing } from '../http/storing.ts';

interface UsageRoutesDeps {
  /** `at`: any time within the period, in milliseconds since the epoch. */
  usageOf: (asked: { account: string; period: Period; at: number }) => Promise<UsageTotals>;
  entitlementOf: (who: Principal) => Entitlement;
  userHash: (user: string) => string;
  caller: (request: FastifyRequest) => Principal;
}

/** `date` is a UTC day and defaults to today; the response covers that day and its month. Only admins may query other users or groups. */
const usageQuery = z.strictObject({
  date: z.iso.date('must be a date in the form 2026-11-29').optional(),
  user: z.string().min(1).max(200).optional(),
  group: z.string().min(1).max(200).optional(),
});
type UsageQuery = z.infer<typeof usageQuery>;

/** `GET /v1/usage`: usage and cost of the caller, another user or a group, for one day and its month. */
export function usageRoutes(api: FastifyInstance, deps: UsageRoutesDeps): void {
  api.get<{ Querystring: UsageQuery }>(
    '/v1/usage',
    {
      schema: {
        querystring: usageQuery,
        summary: 'Get usage and cost for a day and its month',
        tags: ['Usage'],
      },
    },
    async (request) => {
      const { date, user, group } = request.query;
      const who = deps.caller(request);
      const others = group !== undefined || (user !== undefined && user !== who.user);
      if (others && !who.admin) throw new TurnoutError('admin_required');
      if (user !== undefined && group !== undefined)
        throw new TurnoutError('invalid_value', {
          message: "Set either 'user' or 'group', not both.",
          param: 'group',
        });
      const at = date === undefined ? Date.now() : Date.parse(date);
      const of = group === undefined ? account.user(deps.userHash(user ?? who.user)) : account.group(group);
      const usages = await storing(() =>
        Promise.all(periods.map((period) => deps.usageOf({ account: of, period, at }))),
      );
      return {
        object: 'usage',
        ...(group === undefined ? { user: user ?? who.user } : { group }),
        ...Object.fromEntries(periods.map((period, index) => [period, shown(period, at, usages[index])])),
        ...(others ? {} : { budgets: deps.entitlementOf(who).budgets.map(toBudget) }),
      };
    },
  );
}

function shown(period: Period, at: number, usage: UsageTotals | undefined) {
  if (!usage) throw new Error(`usage of the ${period} is missing`);
  const { jobs, reported, estimated } = usage;
  const name = nameOfPeriod(period, at);
  return { period: name, jobs, reported: figures(reported), estimated: figures(estimated) };
}

function figures({ promptTokens, completionTokens, cost }: UsageFigures) {
  return { prompt_tokens: promptTokens, completion_tokens: completionTokens, cost_usd: cost };
}

function toBudget({ group, ...lines }: Entitlement['budgets'][number]) {
  return { ...(group === undefined ? { of: 'user' } : { of: 'group', group }), ...lines };
}
