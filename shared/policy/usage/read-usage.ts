import { type Redis } from '../../platform/redis/connect.ts';
import { metricsKey } from '../../contracts/section-names.ts';
import { PICODOLLARS, usageFields, usageSection } from './ledger-sections.ts';
import { type Period } from './periods.ts';

/** Usage of an account in a period: reported by providers, and separately, estimated by Turnout for interrupted calls. */
export interface UsageTotals {
  jobs: number;
  reported: UsageFigures;
  estimated: UsageFigures;
}

export interface UsageFigures {
  promptTokens: number;
  completionTokens: number;
  /** US dollars; calls with an unknown price are not included. */
  cost: number;
}

/** `at`: any moment of the period, in milliseconds since the epoch. */
export async function readUsage(
  redis: Redis,
  redisPrefix: string,
  { account, period, at }: { account: string; period: Period; at: number },
): Promise<UsageTotals> {
  return toUsage(await redis.hgetall(metricsKey(redisPrefix, usageSection(period, at, account))));
}

export function toUsage(counts: Readonly<Record<string, string | number>>): UsageTotals {
  const of = (field: string) => Number(counts[field] ?? 0);
  return {
    jobs: of(usageFields.jobs),
    reported: {
      promptTokens: of(usageFields.reportedPrompt),
      completionTokens: of(usageFields.reportedCompletion),
      cost: of(usageFields.reportedCost) / PICODOLLARS,
    },
    estimated: {
      promptTokens: of(usageFields.estimatedPrompt),
      completionTokens: of(usageFields.estimatedCompletion),
      cost: of(usageFields.estimatedCost) / PICODOLLARS,
    },
  };
}
