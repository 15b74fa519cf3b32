import { Command } from 'commander';
import { giveCommand, type GiveOptions } from '../control/give-command.ts';
import { type OperatorContext } from '../context.ts';
import { flagValue } from './flag-value.ts';
import { showFlags } from './show-flags.ts';

const ABOUT = `The rollout's flags, as committed by the leader of the metrics service. All services except cache use them instead of \
the flags in their own environment, with two exceptions: ENABLE_LITELLM=false and BYPASS_USER in a process's environment win in that process.`;

export function flagsCommand(context: OperatorContext): Command {
  const group = new Command('flags').summary('flags: get, set').description(ABOUT);
  group
    .command('get')
    .description('Shows the flags in force.')
    .option('--json', 'print one JSON object')
    .action((options: { json?: true }) => showFlags(context, options));
  group
    .command('set')
    .description(
      'Sets flags in all services except cache, and waits until they have applied them. `NAME=` restores the default.',
    )
    .argument('<NAME=VALUE...>', 'e.g. LITELLM_PERCENTAGE=15', flagValue)
    .option('--json', 'print one JSON object')
    .action((flags: Record<string, string>, options: GiveOptions) =>
      giveCommand(context, { type: 'set', flags }, options),
    );
  return group;
}
