import { Command, InvalidArgumentError } from 'commander';
import { giveCommand, type GiveOptions } from '../control/give-command.ts';
import { duration } from '../control/duration.ts';
import { type OperatorContext } from '../context.ts';
import { explainEpoch } from './explain-epoch.ts';
import { type ReplayOptions, showReplay } from './replay/show-replay.ts';
import { type RolloutStatus } from '../../shared/rollout/control/read-status.ts';
import { statusOf } from '../control/status-of.ts';
import { toJsonLine } from '../output.ts';
import { statusInWords } from './status-in-words.ts';

const ABOUT = `The rollout: the share of users on LiteLLM, the plan that raises it, and the judge's verdict. \
A rollback stays in force until \`resume\`, regardless of later flags or deployments. \
While the share is frozen it may fall but not grow.`;

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
    group.command(name).description(description).option('--json', 'print one JSON object');

  command(
    'status',
    "Shows the state in force, which instances have applied it, and the judge's figures.",
  ).action((options: GiveOptions) => showStatus(context, options));
  command(
    'start',
    'Starts a plan. It moves to the next step when the current one has lasted its time and is judged safe.',
  )
    .requiredOption('--steps <percents>', 'increasing shares of users, e.g. 5,15,30,60,100', steps)
    .option(
      '--dwell <time>',
      'minimum duration of each step, e.g. 30m (48h by default)',
      duration,
      duration('48h'),
    )
    .action(({ steps: percents, dwell, ...options }: StartOptions) =>
      giveCommand(context, { type: 'start', steps: percents, dwellMs: dwell }, options),
    );
  command('stop', 'Ends the plan. The share does not change.').action((options: GiveOptions) =>
    giveCommand(context, { type: 'stop' }, options),
  );
  command('hold', 'Freezes the share until `resume`. The judge can still roll back.')
    .option('--why <text>', 'the reason, for the audit', 'an operator held it')
    .action(({ why, ...options }: WhyOptions) => giveCommand(context, { type: 'freeze', why }, options));
  command('resume', 'Ends a rollback or a freeze.')
    .option(
      '--percentage <n>',
      'the share to continue with (default: LITELLM_PERCENTAGE as it is set)',
      percent,
    )
    .action(({ percentage, ...options }: GiveOptions & { percentage?: number }) =>
      giveCommand(context, { type: 'resume', ...(percentage === undefined ? {} : { percentage }) }, options),
    );
  command('rollback', 'Moves all users except forced ones to the legacy backend, now.')
    .option('--why <text>', 'the reason, for the audit', 'an operator rolled back')
    .action(({ why, ...options }: WhyOptions) => giveCommand(context, { type: 'rollback', why }, options));
  command('explain', 'Shows why an epoch began: who gave the command, and the evidence of the judge.')
    .argument('<epoch>', 'the epoch, from a log line or from `audit`', epochNumber)
    .action((epoch: number, options: GiveOptions) => explainEpoch(context, epoch, options));
  command(
    'replay',
    'Checks the decisions: judges each one again from the outcomes in Kafka (kept 30 days), and compares the verdicts.',
  )
    .option('--from <epoch>', 'the first epoch to check', epochNumber, 1)
    .option('--no-legacy', 'the system had no legacy backend')
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
    throw new InvalidArgumentError('The steps must be above 0 and increasing.');
  return percents;
}

function epochNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}

async function showStatus(context: OperatorContext, { json }: { json?: true }): Promise<void> {
  const status: RolloutStatus = await statusOf(context);
  for (const line of json ? [toJsonLine(status)] : statusInWords(status, Date.now())) context.print(line);
}
