/** The commands behind `make up | down | status | logs`. */
import { ConfigError } from '../shared/platform/config/load.ts';
import { StackError } from './errors.ts';
import { developmentLayout, type Layout } from './layout.ts';
import { stopAll } from './shutdown.ts';
import { readStackStatus, statusTable } from './status.ts';
import { up } from './up.ts';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mergedLogOf } from './services.ts';

const say = (line: string): void => console.log(line);

const COMMANDS: Readonly<Record<string, () => Promise<number>>> = {
  up: async () => {
    await up(say);
    return 0;
  },
  down: async () => {
    const stopped = await stopAll(developmentLayout(process.env), { say });
    say(stopped === 0 ? 'Turnout was not running.' : `Turnout is stopped (${stopped} processes).`);
    return 0;
  },
  status: async () => {
    const statuses = await readStackStatus(developmentLayout(process.env));
    say(statuses.length === 0 ? 'Turnout is not running. Start it with `make up`.' : statusTable(statuses));
    return statuses.every(({ health }) => health === 'healthy') ? 0 : 1;
  },
  logs: async () => {
    await followLogs(developmentLayout(process.env));
    return 0;
  },
};

async function main(name = ''): Promise<number> {
  const command = COMMANDS[name];
  if (command !== undefined) return command();
  console.error(`Unknown command ${JSON.stringify(name)}. Commands: ${Object.keys(COMMANDS).join(', ')}`);
  return 2;
}

/** Expected errors are shown as a message. Anything else is a bug and is shown with its stack trace. */
function explain(error: unknown): string {
  if (error instanceof StackError || error instanceof ConfigError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

try {
  process.exit(await main(process.argv[2]));
} catch (error) {
  console.error(`\n${explain(error)}`);
  process.exit(1);
}

/** Shows the end of the merged log and follows it until interrupted. */
async function followLogs(layout: Layout): Promise<void> {
  const file = mergedLogOf(layout);
  if (!existsSync(file)) throw new StackError('There is no log yet. Start Turnout with `make up`.');
  const tail = spawn('tail', ['-n', '100', '-F', file], { stdio: 'inherit' });
  process.on('SIGINT', () => tail.kill());
  await new Promise<void>((settle, fail) => {
    tail.once('error', fail);
    tail.once('close', () => settle());
  });
}
