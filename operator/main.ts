/** Entry point of the operator's command line. Only this file touches the environment, the arguments and the exit code. */
import { existsSync, readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join, resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { runProgram } from './program.ts';
import { operatorSettings } from './settings.ts';

const root = resolve(import.meta.dirname, '..');

function readEnvFile(...path: string[]): NodeJS.Dict<string> {
  const file = join(root, ...path);
  return existsSync(file) ? parseEnv(readFileSync(file, 'utf8')) : {};
}

/** Undefined if the user has no name, as in some containers. */
function nameOfOperator(): string | undefined {
  try {
    return userInfo().username;
  } catch {
    return undefined;
  }
}

// `turnout dlq list | head` closes the pipe: no output can be written any more.
process.stdout.on('error', () => process.exit(1));

const code = await runProgram(process.argv.slice(2), {
  settings: () =>
    operatorSettings({
      shell: process.env,
      file: readEnvFile('.env'),
      stack: readEnvFile('.turnout', 'dev.env'),
    }),
  operator: nameOfOperator(),
  root,
  print: (text) => void process.stdout.write(`${text}\n`),
  complain: (text) => void process.stderr.write(`${text}\n`),
});
// Exits explicitly: a connection attempt to a broker that is down may keep the event loop alive long after the output.
process.stdout.write('', () => process.exit(code));
