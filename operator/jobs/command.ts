import { Command } from 'commander';
import { wholeNumber } from '../arguments.ts';
import { type OperatorContext } from '../context.ts';
import { cancelJobs } from './cancel-jobs.ts';
import { listJobs } from './list-jobs.ts';
import { showJob } from './show-job.ts';

const ABOUT = `Jobs by the id that clients get in x-turnout-job-id and that stands in every log line. No command shows what a user wrote
or was answered.`;

export function jobsCommand(context: OperatorContext): Command {
  const group = new Command('jobs').summary('jobs: list, show, cancel').description(ABOUT);
  group
    .command('list')
    .description('The jobs that have not ended, the next deadline first.')
    .option('--limit <n>', 'only the first n', wholeNumber, 50)
    .option('--json', 'a JSON object on each line')
    .action((options: { limit: number; json?: true }) => listJobs(context, options));
  group
    .command('show')
    .description(
      'One job: its state, and when what happened to it. An ended job is known for LOG_RETENTION_MS.',
    )
    .argument('<id>')
    .option('--json', 'one JSON object')
    .action((id: string, options: { json?: true }) => showJob(context, id, options));
  group
    .command('cancel')
    .description('Ends jobs, wherever they are, and closes their calls of the model.')
    .argument('<ids...>')
    .action((ids: string[]) => cancelJobs(context, ids));
  return group;
}
