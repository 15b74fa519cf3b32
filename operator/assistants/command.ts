import { Command } from 'commander';
import { type OperatorContext } from '../context.ts';
import { checkFiles } from './check-files.ts';
import { listAssistants } from './list-assistants.ts';

export function assistantsCommand(context: OperatorContext): Command {
  const group = new Command('assistants')
    .summary('assistants: list, check')
    .description('Assistants as their files describe them. Looks at files only, never at a running service.');
  group
    .command('list')
    .description('The assistants of ASSISTANTS_DIR (from the repository, where it is relative).')
    .option('--json', 'a JSON object on each line')
    .action((options: { json?: true }) => listAssistants(context, options));
  group
    .command('check')
    .description('Says what is wrong with files, each and all together. Exits with 1 when anything is.')
    .argument('<files...>')
    .action((files: string[]) => checkFiles(context, files));
  return group;
}
