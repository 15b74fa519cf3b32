import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { Command, Replies, ReaderReply } from './protocol.ts';

export interface ClientProcess {
  readonly pid: number;
  /** Runs one command at a time. Rejects if the client fails or dies. */
  ask<K extends Command['kind']>(command: Command & { kind: K }): Promise<Replies[K]>;
  /** Ends the process, which closes its open streams. */
  close(): Promise<void>;
}

export async function startClient(): Promise<ClientProcess> {
  const child = fork(new URL('client.ts', import.meta.url));
  const hello = await nextReply(child);
  if (hello.kind !== 'ready' || child.pid === undefined) throw new Error('The client did not start');
  return {
    pid: child.pid,
    ask: async <K extends Command['kind']>(command: Command & { kind: K }) => {
      child.send(command);
      const reply = await nextReply(child);
      if (reply.kind === 'done') return reply.result as Replies[K];
      throw new Error(`The client failed: ${reply.kind === 'failed' ? reply.message : reply.kind}`);
    },
    close: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.disconnect();
      await once(child, 'exit');
    },
  };
}

async function nextReply(child: ChildProcess): Promise<ReaderReply> {
  const settled = new AbortController();
  const { signal } = settled;
  const death = once(child, 'exit', { signal }).then(() => {
    throw new Error('The client died');
  });
  try {
    const [reply] = (await Promise.race([once(child, 'message', { signal }), death])) as [ReaderReply];
    return reply;
  } finally {
    death.catch(() => undefined); // aborting the signal rejects it
    settled.abort();
  }
}
