import { Command, InvalidArgumentError } from 'commander';
import { duration } from '../control/duration.ts';
import { type OperatorContext } from '../context.ts';
import { createKey, type CreateOptions, revokeKey, rotateKey, type RotateOptions } from './change-keys.ts';
import { listKeys } from './list-keys.ts';

const ABOUT = `The users' API keys. Only the SHA-256 of a key is stored: the key itself is shown once, when it is created. Revoking a key takes \
effect with the next request. Jobs that were accepted continue; \`jobs cancel\` ends them.`;

const FILE_HELP = `
Keys of API_KEYS_FILE can be revoked too. The file itself is not changed. API_KEYS_FILE must be the same file that the services use.`;

export function keysCommand(context: OperatorContext): Command {
  const group = new Command('keys').summary('keys: list, create, rotate, revoke').description(ABOUT);
  group
    .command('list')
    .description(
      'Lists the keys, including those of API_KEYS_FILE, with their state and last use (to the minute).',
    )
    .option('--user <id>', 'only keys of this user')
    .option('--json', 'print one JSON object per line')
    .action((options: { user?: string; json?: true }) => listKeys(context, options));
  group
    .command('create')
    .description('Creates a key and shows it.')
    .requiredOption('--user <id>', "the key's user")
    .option('--groups <names>', "the user's groups, separated by commas", names, [])
    .option('--name <name>', 'a label', '')
    .option('--expires-in <time>', 'lifetime, e.g. 90d (default: the key does not expire)', duration)
    .option(
      '--admin',
      "make it an admin key: for the /admin routes of metrics and cache, the ingress's /metrics, and other users' usage at /v1/usage",
    )
    .option('--json', 'print one JSON object')
    .action((options: CreateOptions) => createKey(context, options));
  group
    .command('rotate')
    .description('Creates a new key for the same user, and lets the old key expire.')
    .argument('<id>', 'the id from `keys list`')
    .option(
      '--keep-old <time>',
      'how long the old key stays valid, e.g. 12h (1 day by default)',
      duration,
      86_400_000,
    )
    .option('--json', 'print one JSON object')
    .action((id: string, options: RotateOptions) => rotateKey(context, id, options));
  group
    .command('revoke')
    .description('Revokes a key at once. This cannot be undone.')
    .argument('<id>', 'the id from `keys list`')
    .addHelpText('after', FILE_HELP)
    .action((id: string) => revokeKey(context, id));
  return group;
}

function names(text: string): string[] {
  const all = text.split(',').map((name) => name.trim());
  if (all.some((name) => name === '' || name.length > 200))
    throw new InvalidArgumentError('They must be names of 1 to 200 characters, separated by commas.');
  return all;
}
