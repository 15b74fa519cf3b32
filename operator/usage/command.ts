import { Command, InvalidArgumentError } from 'commander';
import { type OperatorContext } from '../context.ts';
import { rebuildUsage } from './rebuild.ts';
import { showUsage, type ShowOptions } from './show-usage.ts';

const ABOUT = `What users and groups have come to, by UTC days and months: the figures that budgets are held against. Users' figures lie under a hash of their
ids, which TURNOUT_SECRET makes.`;

export function usageCommand(context: OperatorContext): Command {
  const group = new Command('usage').summary('usage: show, rebuild').description(ABOUT);
  group
    .command('show')
    .description('Of a user or a group, on a day and in its month.')
    .option('--user <id>', 'whose')
    .option('--group <name>', 'of which group')
    .option('--date <day>', 'a day: 2026-11-29', day)
    .option('--json', 'one JSON object')
    .action((options: ShowOptions) => showUsage(context, options));
  group
    .command('rebuild')
    .description(
      'Counts all events that Kafka still has again, and says where the books differ. Exits with 1 where they do.',
    )
    .action(() => rebuildUsage(context));
  return group;
}

function day(text: string): number {
  const at = /^\d{4}-\d{2}-\d{2}$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(at)) throw new InvalidArgumentError('It must be a day: 2026-11-29.');
  return at;
}
