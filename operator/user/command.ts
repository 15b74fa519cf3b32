import { Command } from 'commander';
import { giveCommand, type GiveOptions } from '../control/give-command.ts';
import { type OperatorContext } from '../context.ts';
import { blockUser, listBlocked, unblockUser } from './block-user.ts';

const ABOUT = `Access, backend and cache of one user. <id> is the user id of their API key. Bypassed users are always on the legacy backend, \
forced users always on LiteLLM, even during a rollback. \`release\` undoes both: the rollout's percentage decides again.`;

const ACTIONS = {
  bypass: 'Puts the user on the legacy backend, always.',
  force: 'Puts the user on LiteLLM, always and in any phase.',
  release: 'Undoes bypass and force.',
} as const;

export function userCommand(context: OperatorContext): Command {
  const group = new Command('user')
    .summary('user: bypass, force, release, clear, block, unblock')
    .description(ABOUT);
  const action = (name: string, description: string, type: keyof typeof ACTIONS | 'clear_cache') =>
    group
      .command(name)
      .description(description)
      .argument('<id>')
      .option('--json', 'print one JSON object')
      .action((user: string, options: GiveOptions) => giveCommand(context, { type, user }, options));
  for (const [name, description] of Object.entries(ACTIONS))
    action(name, description, name as keyof typeof ACTIONS);
  action('clear', "Makes the user's cache entries unreadable, in all services at once.", 'clear_cache');
  group
    .command('block')
    .description(
      'Rejects all requests of the user from now on, with any key or token. Jobs that were accepted continue.',
    )
    .argument('<id>')
    .action((user: string) => blockUser(context, user));
  group
    .command('unblock')
    .description('Accepts requests of the user again.')
    .argument('<id>')
    .action((user: string) => unblockUser(context, user));
  group
    .command('blocked')
    .description('Lists the blocked users, and since when each one is blocked.')
    .action(() => listBlocked(context));
  return group;
}
