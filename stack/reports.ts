import { mkdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { stateFolder } from './layout.ts';

/** Writes `.turnout/reports/NAME.json`, and reports the path. */
export function writeReport(name: string, report: unknown, say: (line: string) => void): void {
  const folder = join(stateFolder(), 'reports');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${name}.json`);
  writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`);
  say(`report written to ${relative(process.cwd(), file)}`);
}

/** Writes lines to standard error, with the command's name and the seconds since its start. */
export function sayAs(command: string): (line: string) => void {
  const startedAt = performance.now();
  return (line) => {
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(0).padStart(4);
    console.error(`[${command} ${seconds} s] ${line}`);
  };
}
