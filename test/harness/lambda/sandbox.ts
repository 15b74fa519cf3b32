import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type Invocation, startRuntimeApi } from './runtime-api.ts';

/** One Lambda sandbox, with its own runtime process. */
export interface Sandbox {
  invoke(event: unknown): Promise<Invocation>;
  /** Milliseconds from the start of the process to its first request for an invocation. */
  readonly coldStartMs: number;
  /** Stops the process, as Lambda does between invocations: no code runs until `thaw`. */
  freeze(): void;
  thaw(): void;
  /** The output of the process so far. */
  log(): string;
  stop(): Promise<void>;
}

export type HandlerName = 'http' | 'stream' | 'sqs' | 'eventBridge';

interface SandboxOptions {
  /** The folder of the bundle. */
  folder: string;
  handler: HandlerName;
  /** The function's whole configuration. */
  env: Readonly<Record<string, string>>;
}

/** Rejects with the error that the function's initialization threw. */
export async function startSandbox({ folder, handler, env }: SandboxOptions): Promise<Sandbox> {
  const api = await startRuntimeApi();
  const began = performance.now();
  const child = spawn(process.execPath, [fileURLToPath(new URL('runtime.ts', import.meta.url))], {
    cwd: folder,
    env: {
      PATH: process.env['PATH'],
      ...env,
      AWS_LAMBDA_RUNTIME_API: api.address,
      _HANDLER: `lambda.${handler}`,
      LAMBDA_TASK_ROOT: folder,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (log += String(chunk)));
  const gone = once(child, 'exit');
  const stop = async () => {
    child.kill('SIGCONT');
    child.kill('SIGKILL');
    await gone;
    await api.close();
  };
  try {
    await Promise.race([
      api.ready,
      gone.then(() => {
        throw new Error(`The runtime ended: ${log}`);
      }),
    ]);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    invoke: (event) => api.invoke(event),
    coldStartMs: performance.now() - began,
    freeze: () => void child.kill('SIGSTOP'),
    thaw: () => void child.kill('SIGCONT'),
    log: () => log,
    stop,
  };
}
