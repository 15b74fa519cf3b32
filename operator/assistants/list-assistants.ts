import { resolve } from 'node:path';
import { type Assistant } from '../../shared/content/assistants/assistant-file.ts';
import { readAssistants, readFolder } from '../../shared/content/assistants/read-folder.ts';
import { CommandFailed, type OperatorContext } from '../context.ts';
import { inColumns, toJsonLine } from '../output.ts';
import { oneLine } from '../terminal-safe.ts';

const HEADINGS = ['NAME', 'VERSION', 'MODEL', 'FOR', 'EXAMPLES', 'DESCRIPTION'];
const DESCRIPTION = 60;

/** Throws `CommandFailed` with every problem if files in the folder are not valid. */
export async function listAssistants(
  { settings, print, root }: OperatorContext,
  { json }: { json?: true },
): Promise<void> {
  const folder = resolve(root, settings().ASSISTANTS_DIR);
  const { assistants, problems } = readAssistants(await readFolder(folder));
  if (problems.length > 0) throw new CommandFailed(problems.map(oneLine).join('\n'));
  if (json) for (const assistant of assistants) print(toJsonLine(assistant));
  else if (assistants.length > 0) print(inColumns([HEADINGS, ...assistants.map(toRow)]).join('\n'));
  else print(`There are no assistants in ${folder}.`);
}

function toRow({ name, version, model = '-', access, examples, description, default: isDefault }: Assistant) {
  const whom = access
    ? [...access.groups.map((group) => `@${group}`), ...access.users].join(',')
    : 'everyone';
  const about = oneLine(description).slice(0, DESCRIPTION);
  return [
    isDefault ? `${name} (default)` : name,
    version,
    oneLine(model),
    oneLine(whom),
    String(examples.length),
    about,
  ];
}
