import { Command, InvalidArgumentError } from 'commander';
import { type EventType, eventType } from '../../shared/jobs/webhooks/event.ts';
import { wholeNumber } from '../arguments.ts';
import { type OperatorContext } from '../context.ts';
import { addEndpoint, removeEndpoint, rotateSecret } from './change-endpoints.ts';
import { listDeliveries, listEndpoints } from './list-endpoints.ts';

const ABOUT = `The webhook endpoints of a user. Users manage the same endpoints at /v1/webhook_endpoints. Turnout calls them when a background \
response ends: ${eventType.options.join(', ')}.`;

const SECRET_HELP = `
Store the signing secret: it is not shown again. It is encrypted with TURNOUT_SECRET, which must be the same as in the services.`;

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
    .description('Lists the endpoints, newest first.')
    .requiredOption('--user <id>', 'the user')
    .option('--json', 'print one JSON object per line')
    .action((options: { user: string; json?: true }) => listEndpoints(context, options));
  group
    .command('deliveries')
    .description(
      'Lists the latest deliveries to an endpoint and their results, newest first, without their bodies.',
    )
    .argument('<endpoint>', 'the id from `webhooks list`')
    .requiredOption('--user <id>', 'the user')
    .option('--limit <n>', 'only the newest n', wholeNumber, 50)
    .option('--json', 'print one JSON object per line')
    .action((id: string, options: { user: string; limit: number; json?: true }) =>
      listDeliveries(context, id, options),
    );
}

function changingCommands(group: Command, context: OperatorContext): void {
  group
    .command('add')
    .description('Registers an endpoint and shows its signing secret.')
    .requiredOption('--user <id>', 'the user')
    .requiredOption('--url <url>', 'the URL that receives the events')
    .option('--events <types>', 'event types, separated by commas', eventTypes, eventType.options)
    .option('--name <name>', 'a label', 'webhook')
    .option('--json', 'print one JSON object')
    .addHelpText('after', SECRET_HELP)
    .action((options: { user: string; url: string; events: EventType[]; name: string; json?: true }) =>
      addEndpoint(context, options),
    );
  group
    .command('rotate')
    .description('Gives an endpoint a new signing secret and shows it.')
    .argument('<endpoint>', 'the id from `webhooks list`')
    .requiredOption('--user <id>', 'the user')
    .option('--keep-old', 'for 24 hours, also sign with the old secret')
    .option('--json', 'print one JSON object')
    .addHelpText('after', SECRET_HELP)
    .action((id: string, options: { user: string; keepOld?: true; json?: true }) =>
      rotateSecret(context, id, options),
    );
  group
    .command('remove')
    .description('Removes an endpoint and its deliveries. Pending deliveries are not sent any more.')
    .argument('<endpoint>', 'the id from `webhooks list`')
    .requiredOption('--user <id>', 'the user')
    .action((id: string, options: { user: string }) => removeEndpoint(context, id, options));
}

function eventTypes(text: string): EventType[] {
  return text.split(',').map((name) => {
    const { data } = eventType.safeParse(name.trim());
    if (data) return data;
    throw new InvalidArgumentError(`'${name}' is not an event type. Use: ${eventType.options.join(', ')}.`);
  });
}
