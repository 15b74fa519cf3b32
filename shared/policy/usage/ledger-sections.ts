import { type Outcome } from '../../contracts/outcome.ts';
import { nameOfPeriod, type Period, periods } from './periods.ts';

/** Costs are stored in whole picodollars, so that the price of one token (about 1e-8 dollars) is an integer. */
export const PICODOLLARS = 1e12;

const DAY_MS = 86_400_000;
/** How long usage figures are kept. */
const KEPT_MS: Readonly<Record<Period, number>> = { day: 100 * DAY_MS, month: 800 * DAY_MS };

/** The account that is charged: a user or a group. */
export const account = {
  user: (userHash: string) => `user:${userHash}`,
  group: (name: string) => `group:${name}`,
} as const;

/** Name of the section with an account's usage in a period; see `metricsKey`. */
export function usageSection(period: Period, at: number, of: string): string {
  return `usage:${nameOfPeriod(period, at)}:${of}`;
}

export const usageFields = {
  jobs: 'jobs',
  reportedPrompt: 'reported/prompt',
  reportedCompletion: 'reported/completion',
  reportedCost: 'reported/cost',
  estimatedPrompt: 'estimated/prompt',
  estimatedCompletion: 'estimated/completion',
  estimatedCost: 'estimated/cost',
} as const;

export interface UsageSection {
  name: string;
  keptMs: number;
  /** Field -> increment; integers. */
  counts: Map<string, number>;
}

/** The usage that outcomes add to the bills of their users and groups. Pure, so that a bill can be recomputed from the events. */
export function usageSectionsOf(outcomes: readonly Outcome[]): UsageSection[] {
  const sections = new Map<string, UsageSection>();
  for (const outcome of outcomes) {
    const added = usageOf(outcome);
    const accounts = [account.user(outcome.userHash), ...(outcome.groups ?? []).map(account.group)];
    for (const of of accounts) {
      for (const period of periods) {
        const name = usageSection(period, outcome.at, of);
        const section: UsageSection = sections.get(name) ?? {
          name,
          keptMs: KEPT_MS[period],
          counts: new Map<string, number>(),
        };
        sections.set(name, section);
        for (const [field, by] of added) {
          if (by !== 0) section.counts.set(field, (section.counts.get(field) ?? 0) + by);
        }
      }
    }
  }
  return [...sections.values()];
}

function usageOf({ usage, routingUsage }: Outcome): [string, number][] {
  const records = [...usage, ...(routingUsage ? [routingUsage] : [])];
  return [
    [usageFields.jobs, 1],
    ...records.flatMap(({ source, tokens, cost }): [string, number][] => [
      [`${source}/prompt`, tokens.prompt_tokens],
      [`${source}/completion`, tokens.completion_tokens],
      [`${source}/cost`, Math.round((cost ?? 0) * PICODOLLARS)],
    ]),
  ];
}
