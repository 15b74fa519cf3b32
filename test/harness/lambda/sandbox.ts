import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type Invocation, startRuntimeApi } from './runtime-api.ts';

/** One sandbox of a Lambda, with its own runtime process. */
export interface Sandbox {
  invoke(event: unknown): Promise<Invocation>;
  /** Milliseconds from the start of the process to its first request for an invocation. */
  readonly coldStartMs: number;
  /** As Lambda does between invocations: no code runs until it is thawed. */
  freeze(): void;
  thaw(): void;
  /** What it has written to its log. */
  log(): string;
  stop(): Promise<void>;
}

export type HandlerName = 'http' | 'stream' | 'sqs' | 'eventBridge';

interface SandboxOptions {
  /** That of the bundle. */
  folder: string;
  handler: HandlerName;
  /** All that the function is configured with. */
  env: Readonly<Record<string, string>>;
}

/** Rejects with what the function's initialization threw. */
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
