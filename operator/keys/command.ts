import { Command, InvalidArgumentError } from 'commander';
import { duration } from '../control/duration.ts';
import { type OperatorContext } from '../context.ts';
import { createKey, type CreateOptions, revokeKey, rotateKey, type RotateOptions } from './change-keys.ts';
import { listKeys } from './list-keys.ts';

const ABOUT = `The API keys that users show. Of a key only its SHA-256 is kept: it is shown once, when it is made. What is revoked is refused from the next
request on; jobs that were accepted go on (\`jobs cancel\` ends them).`;

const FILE_HELP = `
Keys of API_KEYS_FILE are listed and revoked as well; the file itself stays as it is. To revoke one, API_KEYS_FILE must be the services'.`;

export function keysCommand(context: OperatorContext): Command {
  const group = new Command('keys').summary('keys: list, create, rotate, revoke').description(ABOUT);
  group
    .command('list')
    .description('All keys with their state and when they were last used (to a minute).')
    .option('--user <id>', 'only his')
    .option('--json', 'a JSON object on each line')
    .action((options: { user?: string; json?: true }) => listKeys(context, options));
  group
    .command('create')
    .description('Makes a key and shows it.')
    .requiredOption('--user <id>', 'whose')
    .option('--groups <names>', 'that he belongs to, separated by commas', names, [])
    .option('--name <name>', 'for people', '')
    .option('--expires-in <time>', 'how long it is good for: 90d', duration)
    .option(
      '--admin',
      'for the /admin routes of the metrics and cache services, in place of TURNOUT_ADMIN_KEY',
    )
    .option('--json', 'one JSON object')
    .action((options: CreateOptions) => createKey(context, options));
  group
    .command('rotate')
    .description('Makes a new key for whom the old one is, and lets the old one expire.')
    .argument('<id>', 'as `keys list` shows it')
    .option('--keep-old <time>', 'how long the old one is good for beside it', duration, 86_400_000)
    .option('--json', 'one JSON object')
    .action((id: string, options: RotateOptions) => rotateKey(context, id, options));
  group
    .command('revoke')
    .description('Makes a key unusable, at once and for good.')
    .argument('<id>', 'as `keys list` shows it')
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
