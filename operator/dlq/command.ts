import { Command } from 'commander';
import { wholeNumber } from '../arguments.ts';
import { type OperatorContext } from '../context.ts';
import { listLetters } from './list-letters.ts';
import { replayLetters } from './replay-letters.ts';
import { showLetter } from './show-letter.ts';

const ABOUT = `What could not be read or run, and why: unreadable messages of the job and event topics, messages whose job has no
record, and poison jobs. They are kept for 30 days.

The id of a dead letter is its origin: <topic>/<partition>/<offset>, or bullmq/<queue>/<job id>.`;

const REPLAY_HELP = `
The message goes back to its topic with its own key and headers. A second replay of the same dead letter does nothing.

What cannot be replayed is said with the reason, and the exit code is 1:
  - A job that has ended never runs again. An unreadable message whose job was known has ended it: its client was told.
  - A job whose deadline has passed would only fail.
  - A poison job is kept for inspection.
  - A message that this version cannot read would come back as another dead letter (--force sends it).
  - A job without a record that was accepted longer ago than LOG_RETENTION_MS may have been answered (--force runs it).
A job without a record gets one again, and runs as a background job: its answer waits for a client that comes back with
its idempotency key.`;

export function dlqCommand(context: OperatorContext): Command {
  const group = new Command('dlq').summary('dead letters: list, show, replay').description(ABOUT);
  group
    .command('list')
    .description('One line for each dead letter, the newest last. Shows no payload.')
    .option('--reason <text>', 'only those whose reason contains the text')
    .option('--limit <n>', 'only the newest n', wholeNumber)
    .option('--json', 'a JSON object on each line')
    .action((options: { reason?: string; limit?: number; json?: true }) => listLetters(context, options));
  group
    .command('show')
    .description("All of one dead letter. The payload holds users' words.")
    .argument('<id>', 'as `dlq list` shows it')
    .option('--json', 'one JSON object, with the payload as the exact text that it was')
    .action((id: string, options: { json?: true }) => showLetter(context, id, options));
  group
    .command('replay')
    .description('Sends the messages of dead letters back to where they came from.')
    .argument('[ids...]', 'as `dlq list` shows them')
    .option('--all', 'all of them')
    .option('--reason <text>', 'with --all: only those whose reason contains the text')
    .option('--force', 'also where this version cannot tell that the message can be run')
    .option('--json', 'a JSON object on each line')
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
  if (all && ids.length > 0) return 'either ids or --all, not both';
  if (!all && ids.length === 0) return 'which? name the ids, or --all';
  if (!all && reason !== undefined) return '--reason goes with --all';
  return undefined;
}
