import { Command } from 'commander';
import { CommandFailed, type OperatorContext } from '../context.ts';
import { listAssistants } from './list-assistants.ts';
import { readFile } from 'node:fs/promises';
import { readAssistants } from '../../shared/content/assistants/read-folder.ts';
import { oneLine } from '../terminal-safe.ts';

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

/** Prints one line for each problem, or one for each assistant if there are none. Throws `CommandFailed` if there are problems. */
async function checkFiles({ print }: OperatorContext, files: readonly string[]): Promise<void> {
  const read = await Promise.all(files.map(async (name) => ({ name, text: await textOf(name) })));
  const { assistants, problems } = readAssistants(read);
  for (const problem of problems) print(oneLine(problem));
  if (problems.length > 0)
    throw new CommandFailed(
      problems.length === 1 ? '1 problem found.' : `${problems.length} problems found.`,
    );
  for (const { name, version } of assistants) print(`${name}  ${version}  ok`);
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new CommandFailed(error instanceof Error ? error.message : String(error));
  }
}
