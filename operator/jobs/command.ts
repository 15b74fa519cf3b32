import { Command } from 'commander';
import { wholeNumber } from '../arguments.ts';
import { type OperatorContext } from '../context.ts';
import { cancelJobs } from './cancel-jobs.ts';
import { listJobs } from './list-jobs.ts';
import { showJob } from './show-job.ts';

const ABOUT = `Jobs, by their id. Clients get the id in the x-turnout-job-id header, and every log line of a job has it. No command shows \
prompts or answers.`;

export function jobsCommand(context: OperatorContext): Command {
  const group = new Command('jobs').summary('jobs: list, show, cancel').description(ABOUT);
  group
    .command('list')
    .description('Lists the open jobs, earliest deadline first.')
    .option('--limit <n>', 'only the first n', wholeNumber, 50)
    .option('--json', 'print one JSON object per line')
    .action((options: { limit: number; json?: true }) => listJobs(context, options));
  group
    .command('show')
    .description('Shows the state and the timeline of one job. Ended jobs are kept for LOG_RETENTION_MS.')
    .argument('<id>')
    .option('--json', 'print one JSON object')
    .action((id: string, options: { json?: true }) => showJob(context, id, options));
  group
    .command('cancel')
    .description('Cancels jobs, waiting or running, and closes their calls to the model.')
    .argument('<ids...>')
    .action((ids: string[]) => cancelJobs(context, ids));
  return group;
}
