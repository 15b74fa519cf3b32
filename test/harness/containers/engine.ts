import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { repositoryRoot } from '../../../stack/layout.ts';

const run = promisify(execFile);
const MOST_OUTPUT = 64 * 1024 * 1024;

/** Runs docker in the repository. Rejects with the output of a command that fails. */
export async function docker(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const options = { cwd: repositoryRoot, env: { ...process.env, ...env }, maxBuffer: MOST_OUTPUT };
  try {
    return (await run('docker', args, options)).stdout;
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string };
    const said = `${stdout ?? ''}${stderr ?? ''}`.split('\n').slice(-40).join('\n');
    throw new Error(`docker ${args.join(' ')}:\n${said}`, { cause: error });
  }
}

/** Whether a Docker engine answers at the address in `DOCKER_HOST` or in the user's Docker context. */
export async function engineAnswers(): Promise<boolean> {
  return docker(['version', '--format', '{{.Server.Version}}']).then(
    () => true,
    () => false,
  );
}
