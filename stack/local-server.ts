import { join } from 'node:path';
import { type Layout } from './layout.ts';
import { freePort } from './ports.ts';
import { ensureRunning } from './process.ts';
import { stopAll } from './shutdown.ts';

export interface LocalServer {
  /** The base URL, without a path. */
  readonly url: string;
  /** Stops all processes in its layout. Can be called more than once. */
  stop(): Promise<void>;
}

interface LocalServerOptions {
  name: string;
  command: string;
  args: (port: number) => readonly string[];
  /** This path responds with 2xx when the server is ready. */
  healthPath: string;
}

/** Starts a server as a separate process on a free port of this machine. Resolves when it is ready. */
export async function startLocalServer(
  { name, command, args, healthPath }: LocalServerOptions,
  layout: Layout,
): Promise<LocalServer> {
  const port = await freePort(new Set());
  const url = `http://127.0.0.1:${port}`;
  const log = join(layout.logs, `${name}.log`);
  await ensureRunning(
    {
      name,
      command,
      args: args(port),
      env: {},
      workingFolder: layout.workingFolder,
      port,
      health: { kind: 'http', url: `${url}${healthPath}` },
      stdout: log,
      stderr: log,
      explainedBy: [log],
      startTimeoutMs: 30_000,
      stopTimeoutMs: 5_000,
    },
    layout.run,
  );
  return {
    url,
    stop: async () => {
      await stopAll(layout);
    },
  };
}
