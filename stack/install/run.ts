import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { StackError } from '../errors.ts';

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  onLine?(line: string): void;
}

const KEPT_LINES = 30;

/** Runs a command and returns its standard output. If it fails, throws `StackError` with the end of its output. */
export async function run(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const child = spawn(command, args, {
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [output, printed]: [string[], string[]] = [[], []];
  const keep = (line: string): void => {
    printed.push(line);
    options.onLine?.(line);
  };
  createInterface(child.stdout).on('line', (line) => {
    output.push(line);
    keep(line);
  });
  createInterface(child.stderr).on('line', keep);
  const code = await new Promise<number | null>((settle, fail) => {
    child.once('error', fail);
    child.once('close', settle);
  });
  if (code === 0) return output.join('\n');
  throw new StackError(
    `${command} ended with code ${String(code)}:\n${printed.slice(-KEPT_LINES).join('\n')}`,
  );
}
