import { Command } from 'commander';
import { giveCommand, type GiveOptions } from '../control/give-command.ts';
import { CommandFailed, type OperatorContext } from '../context.ts';
import { withKeys } from '../keys/known-keys.ts';
import { inColumns } from '../output.ts';
import { oneLine } from '../terminal-safe.ts';

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

async function blockUser(context: OperatorContext, user: string): Promise<void> {
  await withKeys(context, (keys) => keys.block(user, Date.now()));
  context.print(`${oneLine(user)} is blocked.`);
}

async function unblockUser(context: OperatorContext, user: string): Promise<void> {
  const wasBlocked = await withKeys(context, (keys) => keys.unblock(user));
  if (!wasBlocked) throw new CommandFailed(`${oneLine(user)} is not blocked.`);
  context.print(`${oneLine(user)} is no longer blocked.`);
}

async function listBlocked(context: OperatorContext): Promise<void> {
  const blocked = await withKeys(context, (keys) => keys.blocked());
  const rows = [...blocked].map(([user, at]) => [oneLine(user), new Date(at).toISOString()]);
  context.print(
    rows.length === 0 ? 'No users are blocked.' : inColumns([['USER', 'SINCE'], ...rows]).join('\n'),
  );
}
