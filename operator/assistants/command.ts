import { Command } from 'commander';
import { type OperatorContext } from '../context.ts';
import { checkFiles } from './check-files.ts';
import { listAssistants } from './list-assistants.ts';

export function assistantsCommand(context: OperatorContext): Command {
  const group = new Command('assistants')
    .summary('assistants: list, check')
    .description('Assistant files. These commands read files only, never a running service.');
  group
    .command('list')
    .description(
      'Lists the assistants in ASSISTANTS_DIR. A relative folder is resolved against the repository.',
    )
    .option('--json', 'print one JSON object per line')
    .action((options: { json?: true }) => listAssistants(context, options));
  group
    .command('check')
    .description('Validates assistant files, each one and all together. Exits with 1 if there are problems.')
    .argument('<files...>')
    .action((files: string[]) => checkFiles(context, files));
  return group;
}
