import { userHash } from '../../shared/platform/ids.ts';
import { ConfigError } from '../../shared/platform/config/load.ts';
import { account } from '../../shared/policy/usage/ledger-sections.ts';
import { nameOfPeriod, periods } from '../../shared/policy/usage/periods.ts';
import { readUsage } from '../../shared/policy/usage/read-usage.ts';
import { CommandFailed, type OperatorContext } from '../context.ts';
import { inColumns, toJsonLine } from '../output.ts';
import { needing, withStores } from '../stores.ts';

export interface ShowOptions {
  user?: string;
  group?: string;
  /** Milliseconds since the epoch. */
  date?: number;
  json?: true;
}

const HEADINGS = ['PERIOD', 'JOBS', 'SOURCE', 'PROMPT', 'COMPLETION', 'USD'];

export async function showUsage({ settings, print }: OperatorContext, options: ShowOptions): Promise<void> {
  const { user, group, date: at = Date.now(), json } = options;
  if ((user === undefined) === (group === undefined))
    throw new CommandFailed('Use either --user or --group.');
  const known = settings();
  const of =
    group === undefined ? account.user(hashOf(user ?? '', known.TURNOUT_SECRET)) : account.group(group);
  const usages = await withStores(known, ({ redis, addresses }) =>
    needing(
      addresses.redis,
      Promise.all(
        periods.map(async (period) => ({
          period: nameOfPeriod(period, at),
          ...(await readUsage(redis, known.REDIS_PREFIX, { account: of, period, at })),
        })),
      ),
    ),
  );
  if (json) {
    print(toJsonLine({ ...(group === undefined ? { user } : { group }), usages }));
    return;
  }
  const rows = usages.flatMap(({ period, jobs, reported, estimated }) =>
    Object.entries({ reported, estimated }).map(([source, { promptTokens, completionTokens, cost }]) => [
      period,
      String(jobs),
      source,
      String(promptTokens),
      String(completionTokens),
      cost.toFixed(6),
    ]),
  );
  print(inColumns([HEADINGS, ...rows]).join('\n'));
}

function hashOf(user: string, secret: string | undefined): string {
  if (secret === undefined) throw new ConfigError(['TURNOUT_SECRET is required and not set']);
  return userHash(secret, user);
}
