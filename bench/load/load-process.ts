import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { ClientMessage, Task, TargetResult } from './protocol.ts';

export interface LoadProcess {
  readonly pid: number;
  /** Runs one task. Rejects if the client fails or dies. Errors of single requests are in the results. */
  run(task: Task, onPhase?: (phase: 'counting' | 'counted') => void): Promise<TargetResult[]>;
  close(): Promise<void>;
}

/** Starts the client that sends all requests of a run, as a separate process. */
export async function startLoadProcess(): Promise<LoadProcess> {
  const child = fork(new URL('client.ts', import.meta.url));
  const dead = death(child);
  dead.catch(() => undefined); // It also rejects after a normal close.
  const [hello] = (await Promise.race([once(child, 'message'), dead])) as [ClientMessage];
  if (hello.kind !== 'ready' || child.pid === undefined) throw new Error('The load client did not start');
  return {
    pid: child.pid,
    run: (task, onPhase) => Promise.race([runTask(child, task, onPhase), dead]),
    close: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.disconnect();
      await once(child, 'exit');
    },
  };
}

async function death(child: ChildProcess): Promise<never> {
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  throw new Error(`The load client ended with ${code === null ? String(signal) : `code ${code}`}`);
}

function runTask(
  child: ChildProcess,
  task: Task,
  onPhase: ((phase: 'counting' | 'counted') => void) | undefined,
): Promise<TargetResult[]> {
  return new Promise((resolve, reject) => {
    const hear = (message: ClientMessage): void => {
      if (message.kind === 'counting' || message.kind === 'counted') onPhase?.(message.kind);
      if (message.kind !== 'done' && message.kind !== 'failed') return;
      child.off('message', hear);
      if (message.kind === 'done') resolve(message.results);
      else reject(new Error(`The load client failed: ${message.message}`));
    };
    child.on('message', hear);
    child.send(task);
  });
}
