import { fork } from 'node:child_process';
import { once } from 'node:events';
import { type ReadingTask } from './read-in-thread.ts';
import { type ReaderAnswer } from './reader-main.ts';
import { type Reason, UnreadableDocument } from './unreadable-document.ts';

/** A process that reads one document at a time: starting -> idle -> reading -> idle ... -> ended. */
export interface ReaderProcess {
  /** As `Extractor.extract`. */
  read(task: ReadingTask, signal?: AbortSignal): Promise<Buffer>;
  /** False once it has ended, or is going to. */
  usable(): boolean;
  end(): Promise<void>;
}

/** The reader ends its threads itself; this is for one that cannot any more. Milliseconds. */
const GRACE_MS = 5_000;
/** How a process dies that V8 aborts, that the system needs the memory of, or that a parser's bug brings down. */
const CRASHES: ReadonlySet<NodeJS.Signals | null> = new Set([
  'SIGABRT',
  'SIGKILL',
  'SIGSEGV',
  'SIGBUS',
  'SIGILL',
  'SIGTRAP',
]);

/** It knows no setting, key or secret of ours, and nothing keeps this process alive for it. */
export function startReaderProcess(): ReaderProcess {
  const child = fork(new URL('./reader-main.ts', import.meta.url), [], {
    env: {},
    execArgv: [],
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  child.unref();
  child.channel?.unref();
  let usable = true;
  const kill = () => {
    usable = false;
    child.kill('SIGKILL');
  };
  child.on('exit', () => (usable = false));
  child.on('error', kill);

  function read(task: ReadingTask, signal?: AbortSignal): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const fail = (error: Error) => settle(() => reject(error));
      const unreadable = (reason: Reason) => fail(new UnreadableDocument(reason));
      const onAnswer = (answer: ReaderAnswer) => {
        if ('text' in answer) settle(() => resolve(Buffer.from(answer.text)));
        else if ('reason' in answer) unreadable(answer.reason);
        else fail(new Error(answer.failure));
      };
      const onExit = (code: number | null, by: NodeJS.Signals | null) => {
        if (CRASHES.has(by)) unreadable('too_large');
        else fail(new Error(`the reader ended with ${String(code ?? by)} before its answer`));
      };
      const stop = (error: Error) => {
        fail(error);
        kill();
      };
      const abort = () => stop(signal?.reason as Error);
      const late = () => stop(new UnreadableDocument('too_slow'));
      const timer = setTimeout(late, task.timeoutMs + GRACE_MS);
      function settle(outcome: () => void): void {
        clearTimeout(timer);
        signal?.removeEventListener('abort', abort);
        child.off('message', onAnswer).off('exit', onExit);
        outcome();
      }
      signal?.addEventListener('abort', abort, { once: true });
      child.once('message', onAnswer).once('exit', onExit);
      child.send(task, (error) => {
        if (error) stop(new Error('the reader was not reached', { cause: error }));
      });
    });
  }

  return {
    read,
    usable: () => usable,
    end: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.ref(); // or this process might end before it
      const ended = once(child, 'exit');
      kill();
      await ended;
    },
  };
}
