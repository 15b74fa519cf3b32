import { Command } from 'commander';
import { wholeNumber } from '../arguments.ts';
import { type OperatorContext } from '../context.ts';
import { listLetters } from './list-letters.ts';
import { replayLetters } from './replay-letters.ts';
import { showLetter } from './show-letter.ts';

const ABOUT = `The dead-letter topic: unreadable messages from the job and event topics, messages whose job has no record, and poison jobs. \
Each dead letter has its reason. Dead letters are kept for 30 days.

The id of a dead letter is its origin: <topic>/<partition>/<offset>, or bullmq/<queue>/<job id>.`;

const REPLAY_HELP = `
Sends the message to its original topic, with its original key and headers. Replaying the same dead letter again does nothing.

Some dead letters cannot be replayed. The command prints the reason for each one and exits with 1:
  - The job has ended. Ended jobs never run again. (An unreadable message of a known job also ends the job: its client got an error.)
  - The job's deadline has passed: the job would fail at once.
  - The job is a poison job. It is kept for inspection only.
  - This version cannot read the message: it would become a dead letter again. --force sends it anyway.
  - The job has no record, and was accepted longer ago than LOG_RETENTION_MS: it may have been answered already. --force runs it anyway.

A job without a record gets a new record and runs as a background job. Its client gets the answer when it repeats the request with
the same idempotency key.`;

export function dlqCommand(context: OperatorContext): Command {
  const group = new Command('dlq').summary('dead letters: list, show, replay').description(ABOUT);
  group
    .command('list')
    .description('Lists the dead letters, oldest first, without their payloads.')
    .option('--reason <text>', 'only dead letters whose reason contains the text (case-insensitive)')
    .option('--limit <n>', 'only the newest n', wholeNumber)
    .option('--json', 'print one JSON object per line')
    .action((options: { reason?: string; limit?: number; json?: true }) => listLetters(context, options));
  group
    .command('show')
    .description(
      'Shows one dead letter with its payload. Caution: the payload may contain what a user wrote.',
    )
    .argument('<id>', 'the id from `dlq list`')
    .option('--json', 'print one JSON object, with the payload as its exact original text')
    .action((id: string, options: { json?: true }) => showLetter(context, id, options));
  group
    .command('replay')
    .description('Sends dead letters to their original topics again.')
    .argument('[ids...]', 'ids from `dlq list`')
    .option('--all', 'replay all dead letters')
    .option('--reason <text>', 'with --all: only dead letters whose reason contains the text')
    .option(
      '--force',
      'also send messages that this version cannot read, and jobs that may have been answered',
    )
    .option('--json', 'print one JSON object per line')
    .addHelpText('after', REPLAY_HELP)
    .action((ids: string[], options: ReplayOptions, command: Command) => {
      const problem = replayUsage(ids, options);
      if (problem !== undefined) command.error(`error: ${problem}`);
      return replayLetters(context, { ...options, ids: options.all ? undefined : ids });
    });
  return group;
}

interface ReplayOptions {
  all?: true;
  reason?: string;
  force?: true;
  json?: true;
}

function replayUsage(ids: readonly string[], { all, reason }: ReplayOptions): string | undefined {
  if (all && ids.length > 0) return 'use either ids or --all, not both';
  if (!all && ids.length === 0) return 'nothing to replay: give ids, or use --all';
  if (!all && reason !== undefined) return '--reason needs --all';
  return undefined;
}
