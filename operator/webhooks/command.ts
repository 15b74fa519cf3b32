import { Command, InvalidArgumentError } from 'commander';
import { type EventType, eventType } from '../../shared/jobs/webhooks/event.ts';
import { wholeNumber } from '../arguments.ts';
import { type OperatorContext } from '../context.ts';
import { addEndpoint, removeEndpoint, rotateSecret } from './change-endpoints.ts';
import { listDeliveries, listEndpoints } from './list-endpoints.ts';

const ABOUT = `The webhook endpoints of a user, who has the same at /v1/webhook_endpoints. They are told when a background response
has ended: ${eventType.options.join(', ')}.`;

const SECRET_HELP = `
The signing secret is shown now and never again. TURNOUT_SECRET must be the one that the services have: it encrypts.`;

export function webhooksCommand(context: OperatorContext): Command {
  const group = new Command('webhooks')
    .summary('webhooks: list, add, rotate, remove, deliveries')
    .description(ABOUT);
  readingCommands(group, context);
  changingCommands(group, context);
  return group;
}

function readingCommands(group: Command, context: OperatorContext): void {
  group
    .command('list')
    .description('The endpoints, the newest first.')
    .requiredOption('--user <id>', 'whose')
    .option('--json', 'a JSON object on each line')
    .action((options: { user: string; json?: true }) => listEndpoints(context, options));
  group
    .command('deliveries')
    .description('What became of the last deliveries of an endpoint, the newest first. Shows no body.')
    .argument('<endpoint>', 'as `webhooks list` shows it')
    .requiredOption('--user <id>', 'whose')
    .option('--limit <n>', 'only the newest n', wholeNumber, 50)
    .option('--json', 'a JSON object on each line')
    .action((id: string, options: { user: string; limit: number; json?: true }) =>
      listDeliveries(context, id, options),
    );
}

function changingCommands(group: Command, context: OperatorContext): void {
  group
    .command('add')
    .description('Registers an endpoint and shows its signing secret.')
    .requiredOption('--user <id>', 'whose')
    .requiredOption('--url <url>', 'where the events go')
    .option('--events <types>', 'separated by commas', eventTypes, eventType.options)
    .option('--name <name>', 'for people', 'webhook')
    .option('--json', 'one JSON object')
    .addHelpText('after', SECRET_HELP)
    .action((options: { user: string; url: string; events: EventType[]; name: string; json?: true }) =>
      addEndpoint(context, options),
    );
  group
    .command('rotate')
    .description('Gives an endpoint a new signing secret, and shows it.')
    .argument('<endpoint>', 'as `webhooks list` shows it')
    .requiredOption('--user <id>', 'whose')
    .option('--keep-old', 'the secret until now signs as well for 24 hours')
    .option('--json', 'one JSON object')
    .addHelpText('after', SECRET_HELP)
    .action((id: string, options: { user: string; keepOld?: true; json?: true }) =>
      rotateSecret(context, id, options),
    );
  group
    .command('remove')
    .description('Removes an endpoint with its deliveries. What is under way is given up.')
    .argument('<endpoint>', 'as `webhooks list` shows it')
    .requiredOption('--user <id>', 'whose')
    .action((id: string, options: { user: string }) => removeEndpoint(context, id, options));
}

function eventTypes(text: string): EventType[] {
  return text.split(',').map((name) => {
    const { data } = eventType.safeParse(name.trim());
    if (data) return data;
    throw new InvalidArgumentError(`'${name}' is none of ${eventType.options.join(', ')}.`);
  });
}
