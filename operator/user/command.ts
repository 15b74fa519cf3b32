import { Command } from 'commander';
import { giveCommand, type GiveOptions } from '../control/give-command.ts';
import { type OperatorContext } from '../context.ts';
import { blockUser, listBlocked, unblockUser } from './block-user.ts';

const ABOUT = `One user's access, path and cache, by the id that his API key has. Whoever is bypassed is always on the legacy path, whoever is forced
always on LiteLLM, rolled back or not; \`release\` gives him back to his share.`;

const ACTIONS = {
  bypass: 'Always on the legacy path.',
  force: 'Always on LiteLLM, in any phase.',
  release: 'Neither bypassed nor forced any more.',
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
      .option('--json', 'one JSON object')
      .action((user: string, options: GiveOptions) => giveCommand(context, { type, user }, options));
  for (const [name, description] of Object.entries(ACTIONS))
    action(name, description, name as keyof typeof ACTIONS);
  action('clear', 'Makes all that was kept for him unreadable, in all services at once.', 'clear_cache');
  group
    .command('block')
    .description(
      'Refuses him, whatever key or token he shows, from the next request on. What was accepted goes on.',
    )
    .argument('<id>')
    .action((user: string) => blockUser(context, user));
  group
    .command('unblock')
    .description('Lets him in again.')
    .argument('<id>')
    .action((user: string) => unblockUser(context, user));
  group
    .command('blocked')
    .description('Who is blocked, and since when.')
    .action(() => listBlocked(context));
  return group;
}
