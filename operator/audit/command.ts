import { Command } from 'commander';
import { wholeNumber } from '../arguments.ts';
import { type OperatorContext } from '../context.ts';
import { showAudit } from './show-audit.ts';

const ABOUT = `Lists the commands that were given to the rollout, and whether they were applied. A command's actor is an operator, the deployed \
environment (env), the judge or the plan.`;

export function auditCommand(context: OperatorContext): Command {
  return new Command('audit')
    .summary('audit: the commands given to the rollout, and who gave them')
    .description(ABOUT)
    .option('--limit <n>', 'only the last n', wholeNumber, 50)
    .option('--json', 'print one JSON object per line')
    .action((options: { limit: number; json?: true }) => showAudit(context, options));
}
