import { type Redis } from '../../platform/redis/connect.ts';
import { metricsKey } from '../../contracts/section-names.ts';
import { PICODOLLARS, usageFields, usageSection } from './ledger-sections.ts';
import { type Period } from './periods.ts';

/** What an account came to in a period: as providers reported it, and apart from it, what we estimated for calls that were cut. */
export interface UsageTotals {
  jobs: number;
  reported: UsageFigures;
  estimated: UsageFigures;
}

export interface UsageFigures {
  promptTokens: number;
  completionTokens: number;
  /** US dollars, as far as the price was known. */
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
