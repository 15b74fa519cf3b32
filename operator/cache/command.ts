import { Command } from 'commander';
import { type OperatorContext } from '../context.ts';
import { showStats } from './show-stats.ts';
import { clearUserCache } from '../../shared/content/cache/clear-user-cache.ts';
import { createCacheVersions } from '../../shared/content/cache/cache-versions.ts';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { needing } from '../stores.ts';
import { withCache } from './with-cache.ts';

const ABOUT = `The per-user cache of answers, retrieval results and embeddings. Entries are encrypted with the services' keys, and no \
command shows their contents.`;

export function cacheCommand(context: OperatorContext): Command {
  const group = new Command('cache').summary('cache: stats, clear').description(ABOUT);
  group
    .command('stats')
    .description(
      'Shows the size of the cache, and its hits and misses by kind since the cache Redis was empty.',
    )
    .option('--json', 'print one JSON object')
    .action((options: { json?: true }) => showStats(context, options));
  group
    .command('clear')
    .description('Makes all cache entries of a user unreadable, in all services at once.')
    .requiredOption('--user <id>', 'the user')
    .action((options: { user: string }) => clearCache(context, options));
  return group;
}

async function clearCache({ settings, print }: OperatorContext, { user }: { user: string }): Promise<void> {
  await withCache(settings(), ({ entries, stores: { redis, keys, addresses } }) => {
    const cacheVersions = createCacheVersions(redis, keys);
    return needing(addresses.redis, clearUserCache({ cacheVersions, entries, log: silentLogger }, user));
  });
  print('Cleared: no service reads the earlier cache entries of this user any more.');
}
