import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, machine, release, totalmem, type } from 'node:os';
import { join, relative } from 'node:path';
import { repositoryRoot, stateFolder } from './layout.ts';

export interface Checkout {
  commit: string;
  /** Whether files differ from the commit, other than Markdown pages and published reports. */
  changed: boolean;
}

/** How a report was made. Every report has it as its first field, `run`. */
export interface ReportRun extends Checkout {
  command: string;
  /** When the report was written. */
  at: string;
  machine: { cpu: string; cores: number; memoryGiB: number; os: string; node: string };
}

/** Read when the command starts: the commit may be another one when a long measurement ends. */
const started = readCheckout(repositoryRoot);

/** Writes `.turnout/reports/NAME.json`, and reports the path. */
export function writeReport(name: string, report: object, say: (line: string) => void): void {
  const folder = join(stateFolder(), 'reports');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${name}.json`);
  writeFileSync(file, `${JSON.stringify({ run: describeRun(), ...report }, null, 2)}\n`);
  say(`report written to ${relative(process.cwd(), file)}`);
}

export function describeRun(): ReportRun {
  return {
    command: commandOf(process.env),
    at: new Date().toISOString(),
    ...started,
    machine: thisMachine(),
  };
}

/** `make NAME` as `make` and `npm run NAME` set it, with the flags but without paths of this machine. */
function commandOf(env: NodeJS.ProcessEnv): string {
  const script = env['npm_lifecycle_event'];
  const command =
    script === undefined ? `node ${relative(repositoryRoot, process.argv[1] ?? '')}` : `make ${script}`;
  return [command, ...process.argv.slice(2).filter((arg) => arg.startsWith('--'))].join(' ');
}

/** The state of the Git checkout in a folder. Without Git it counts as changed, because no commit describes it. */
export function readCheckout(folder: string): Checkout {
  const git = (...args: string[]) =>
    execFileSync('git', args, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  try {
    const changes = git('status', '--porcelain', '--', '.', ':(exclude)docs/figures', ':(exclude)*.md');
    return { commit: git('rev-parse', 'HEAD'), changed: changes !== '' };
  } catch {
    return { commit: 'unknown', changed: true };
  }
}

function thisMachine(): ReportRun['machine'] {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 1024 ** 3),
    os: `${type()} ${release()} ${machine()}`,
    node: process.version,
  };
}

/** Writes lines to standard error, with the command's name and the seconds since its start. */
export function sayAs(command: string): (line: string) => void {
  const startedAt = performance.now();
  return (line) => {
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(0).padStart(4);
    console.error(`[${command} ${seconds} s] ${line}`);
  };
}
