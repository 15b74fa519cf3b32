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

/** Runs `turnout` as an operator would: another folder, another Node first on the path, nothing but addresses. */
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

/** The lines of its answer. */
export function linesOf({ out }: CliRun): string[] {
  return out.split('\n').filter((line) => line !== '');
}

/** The same where each line is a JSON object. */
export function jsonLinesOf(run: CliRun): Record<string, unknown>[] {
  return linesOf(run).map((line) => JSON.parse(line) as Record<string, unknown>);
}
