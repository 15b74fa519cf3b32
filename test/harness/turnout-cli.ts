import { execFile } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { repositoryRoot } from '../../stack/layout.ts';
import { testEnv } from './env.ts';

export interface CliRun {
  code: number | string | null;
  out: string;
  err: string;
}

export interface CliOptions {
  env?: Record<string, string>;
  /** Default: the repository's `bin/turnout`. */
  command?: string;
}

export const turnoutCommand = join(repositoryRoot, 'bin', 'turnout');

/** Runs `turnout` as an operator would: from another folder, with another Node on the PATH, and only addresses in the environment. */
export function runTurnout(
  prefix: string,
  args: readonly string[],
  { env = {}, command = turnoutCommand }: CliOptions = {},
): Promise<CliRun> {
  const { KAFKA_BROKERS, REDIS_URL } = testEnv();
  const own = { KAFKA_BROKERS, REDIS_URL, TOPIC_PREFIX: prefix, REDIS_PREFIX: prefix };
  const options = { cwd: tmpdir(), env: { PATH: '/usr/bin:/bin', ...own, ...env }, maxBuffer: 2 ** 26 };
  return new Promise((resolve) => {
    execFile(command, args, options, (error, out, err) => {
      resolve({ code: error ? (error.code ?? null) : 0, out, err });
    });
  });
}

/** The non-empty lines of standard output. */
export function linesOf({ out }: CliRun): string[] {
  return out.split('\n').filter((line) => line !== '');
}

/** The same for output whose lines are JSON objects. */
export function jsonLinesOf(run: CliRun): Record<string, unknown>[] {
  return linesOf(run).map((line) => JSON.parse(line) as Record<string, unknown>);
}
