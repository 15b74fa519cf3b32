import { type Command } from 'commander';
import { type OperatorContext } from '../../operator/context.ts';
import { buildProgram } from '../../operator/program.ts';
import { repositoryRoot } from '../layout.ts';
import { GENERATED } from './markdown.ts';

/** Help needs no settings. */
const CONTEXT: OperatorContext = {
  settings: () => {
    throw new Error('no command is run here');
  },
  operator: undefined,
  root: repositoryRoot,
  print: () => undefined,
  complain: () => undefined,
};

/** The help of every command of `bin/turnout`, as Markdown. */
export function cliPage(): string {
  const root = buildProgram(CONTEXT);
  const sections = [root, ...descendants(root)].map(sectionOf);
  return ['# Command line', '', GENERATED, '', ...sections].join('\n');
}

function descendants(command: Command): Command[] {
  return command.commands.flatMap((child) => [child, ...descendants(child)]);
}

function sectionOf(command: Command): string {
  const help = command.configureHelp({ helpWidth: 100 }).helpInformation().trimEnd();
  return `## ${fullName(command)}\n\n\`\`\`text\n${help}\n\`\`\`\n`;
}

function fullName(command: Command): string {
  return command.parent ? `${fullName(command.parent)} ${command.name()}` : command.name();
}
