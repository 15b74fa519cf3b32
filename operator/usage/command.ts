import { Command, InvalidArgumentError } from 'commander';
import { type OperatorContext } from '../context.ts';
import { rebuildUsage } from './rebuild.ts';
import { showUsage, type ShowOptions } from './show-usage.ts';

const ABOUT = `Usage of users and groups by UTC day and month. Budgets are checked against these figures. A user's figures are stored under a \
hash of their id, which is made with TURNOUT_SECRET.`;

export function usageCommand(context: OperatorContext): Command {
  const group = new Command('usage').summary('usage: show, rebuild').description(ABOUT);
  group
    .command('show')
    .description('Shows the usage of a user or a group on one day, and in the month of that day.')
    .option('--user <id>', 'the user')
    .option('--group <name>', 'the group')
    .option('--date <day>', 'the day, e.g. 2026-11-29 (default: today)', day)
    .option('--json', 'print one JSON object')
    .action((options: ShowOptions) => showUsage(context, options));
  group
    .command('rebuild')
    .description(
      'Counts all events in Kafka again and reports differences from the stored usage. Changes nothing. Exits with 1 if there are differences.',
    )
    .action(() => rebuildUsage(context));
  return group;
}

function day(text: string): number {
  const at = /^\d{4}-\d{2}-\d{2}$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(at)) throw new InvalidArgumentError('It must be a day, e.g. 2026-11-29.');
  return at;
}
