import { Command } from 'commander';
import { wholeNumber } from '../arguments.ts';
import { type OperatorContext } from '../context.ts';
import { showAudit } from './show-audit.ts';

const ABOUT = `What was ever commanded of the rollout: by operators, by the environment that was deployed (env), by the judge and by the
plan; and what became of it.`;

export function auditCommand(context: OperatorContext): Command {
  return new Command('audit')
    .summary('audit: who commanded what')
    .description(ABOUT)
    .option('--limit <n>', 'only the last n', wholeNumber, 50)
    .option('--json', 'a JSON object on each line')
    .action((options: { limit: number; json?: true }) => showAudit(context, options));
}
