import { Command, InvalidArgumentError } from 'commander';
import { giveCommand, type GiveOptions } from '../control/give-command.ts';
import { duration } from '../control/duration.ts';
import { type OperatorContext } from '../context.ts';
import { explainEpoch } from './explain-epoch.ts';
import { type ReplayOptions, showReplay } from './replay/show-replay.ts';
import { showStatus } from './show-status.ts';

const ABOUT = `The rollout: the share of users on LiteLLM, the plan that raises it, and what the judge says about it. A rollback holds, whatever
is set or deployed, until \`resume\`; while it is frozen the share may fall and not grow.`;

interface StartOptions extends GiveOptions {
  steps: number[];
  dwell: number;
}

interface WhyOptions extends GiveOptions {
  why: string;
}

export function rolloutCommand(context: OperatorContext): Command {
  const names = 'status, start, stop, hold, resume, rollback, explain, replay';
  const group = new Command('rollout').summary(`rollout: ${names}`).description(ABOUT);
  const command = (name: string, description: string) =>
    group.command(name).description(description).option('--json', 'one JSON object');

  command('status', 'What holds, who follows it, and what the judge sees.').action((options: GiveOptions) =>
    showStatus(context, options),
  );
  command('start', 'Starts a plan: it goes to the next step when the step was held for its time and is safe.')
    .requiredOption('--steps <percents>', 'shares of users, growing: 5,15,30,60,100', steps)
    .option('--dwell <time>', 'how long each step is held at least: 48h, 30m', duration, duration('48h'))
    .action(({ steps: percents, dwell, ...options }: StartOptions) =>
      giveCommand(context, { type: 'start', steps: percents, dwellMs: dwell }, options),
    );
  command('stop', 'Ends the plan. The share stays as it is.').action((options: GiveOptions) =>
    giveCommand(context, { type: 'stop' }, options),
  );
  command('hold', 'Freezes the share until `resume`. The judge still rolls back.')
    .option('--why <text>', 'for the audit', 'an operator held it')
    .action(({ why, ...options }: WhyOptions) => giveCommand(context, { type: 'freeze', why }, options));
  command('resume', 'Ends a rollback or a freeze.')
    .option('--percentage <n>', 'the share to go on with; default: the one that is set', percent)
    .action(({ percentage, ...options }: GiveOptions & { percentage?: number }) =>
      giveCommand(context, { type: 'resume', ...(percentage === undefined ? {} : { percentage }) }, options),
    );
  command('rollback', 'Takes everybody who is on LiteLLM by his share back to the legacy path, now.')
    .option('--why <text>', 'for the audit', 'an operator rolled back')
    .action(({ why, ...options }: WhyOptions) => giveCommand(context, { type: 'rollback', why }, options));
  command('explain', 'Why an epoch began: who commanded it, and what the judge saw.')
    .argument('<epoch>', 'as in the log and in `audit`', epochNumber)
    .action((epoch: number, options: GiveOptions) => explainEpoch(context, epoch, options));
  command(
    'replay',
    'Judges every decision again by the outcomes that Kafka has (30 days): does the same come out?',
  )
    .option('--from <epoch>', 'the first epoch', epochNumber, 1)
    .option('--no-legacy', 'there was no legacy path')
    .action((options: ReplayOptions) => showReplay(context, options));
  return group;
}

function percent(text: string): number {
  const value = Number(text);
  if (!/^\d{1,3}(\.\d+)?$/.test(text) || value > 100)
    throw new InvalidArgumentError('It must be a number from 0 to 100.');
  return value;
}

function steps(text: string): number[] {
  const percents = text.split(',').map(percent);
  if (percents.some((one, at) => one <= (percents[at - 1] ?? 0)))
    throw new InvalidArgumentError('They must grow, and be above 0.');
  return percents;
}

function epochNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}
