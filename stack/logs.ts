import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { StackError } from './errors.ts';
import type { Layout } from './layout.ts';
import { mergedLogOf } from './services.ts';

/** Shows the end of the merged log and follows it until interrupted. */
export async function followLogs(layout: Layout): Promise<void> {
  const file = mergedLogOf(layout);
  if (!existsSync(file)) throw new StackError('There is no log yet. Start Turnout with `make up`.');
  const tail = spawn('tail', ['-n', '100', '-F', file], { stdio: 'inherit' });
  process.on('SIGINT', () => tail.kill());
  await new Promise<void>((settle, fail) => {
    tail.once('error', fail);
    tail.once('close', () => settle());
  });
}
