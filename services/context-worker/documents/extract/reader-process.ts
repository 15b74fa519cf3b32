import { fork } from 'node:child_process';
import { once } from 'node:events';
import { type ReadingTask } from './read-in-thread.ts';
import { type ReaderAnswer } from './reader-main.ts';
import { type Reason, UnreadableDocument } from './unreadable-document.ts';

/** A process that reads one document at a time: starting -> idle -> reading -> idle ... -> ended. */
export interface ReaderProcess {
  /** As `Extractor.extract`. */
  read(task: ReadingTask, signal?: AbortSignal): Promise<Buffer>;
  /** False once the process has ended or was killed. */
  usable(): boolean;
  end(): Promise<void>;
}

/** A reader terminates its threads itself; after this additional time an unresponsive reader is killed. Milliseconds. */
const GRACE_MS = 5_000;
/** The signals of a process that V8 aborted, that the system killed for memory, or that crashed in a parser. */
const CRASHES: ReadonlySet<NodeJS.Signals | null> = new Set([
  'SIGABRT',
  'SIGKILL',
  'SIGSEGV',
  'SIGBUS',
  'SIGILL',
  'SIGTRAP',
]);

/** Starts a reader. It gets an empty environment, without any setting, key or secret, and does not keep this process alive. */
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
        if (error) stop(new Error('could not send the document to the reader process', { cause: error }));
      });
    });
  }

  return {
    read,
    usable: () => usable,
    end: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.ref(); // otherwise this process might end first
      const ended = once(child, 'exit');
      kill();
      await ended;
    },
  };
}
