import { Command } from 'commander';
import { type OperatorContext } from '../context.ts';
import { clearCache } from './clear-cache.ts';
import { showStats } from './show-stats.ts';

const ABOUT = `The cache of each user: answers, retrieval results and embeddings that were made for him. Nothing in it can be read
without the services' keys, and no command shows any of it.`;

export function cacheCommand(context: OperatorContext): Command {
  const group = new Command('cache').summary('cache: stats, clear').description(ABOUT);
  group
    .command('stats')
    .description('How much is in it, and how often something was found, by kind, since its Redis began.')
    .option('--json', 'one JSON object')
    .action((options: { json?: true }) => showStats(context, options));
  group
    .command('clear')
    .description('Makes all that was kept for a user unreadable, in all services at once.')
    .requiredOption('--user <id>', 'whose')
    .action((options: { user: string }) => clearCache(context, options));
  return group;
}
