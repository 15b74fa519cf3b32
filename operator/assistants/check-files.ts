import { readFile } from 'node:fs/promises';
import { readAssistants } from '../../shared/content/assistants/read-folder.ts';
import { CommandFailed, type OperatorContext } from '../context.ts';
import { oneLine } from '../terminal-safe.ts';

/** Prints one line for each problem, or one for each assistant if there are none. Throws `CommandFailed` if there are problems. */
export async function checkFiles({ print }: OperatorContext, files: readonly string[]): Promise<void> {
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
