import { createTurns } from '../../../../shared/platform/util/turns.ts';
import { type ReadingTask } from './read-in-thread.ts';
import { type ReaderProcess, startReaderProcess } from './reader-process.ts';

export interface Extractor {
  /**
   * The document's text, as UTF-8. Throws `UnreadableDocument` for whatever the document does. Rejects with the signal's
   * reason when aborted, which ends the reading too. Bytes that are given as a function are fetched when the document's turn
   * has come: those that wait are many and may be large.
   */
  extract(input: DocumentToRead, signal?: AbortSignal): Promise<Buffer>;
  /** Ends what is left of it. To be called when nothing is being read. */
  close(): Promise<void>;
}

export interface DocumentToRead extends Pick<ReadingTask, 'format'> {
  bytes: Uint8Array | (() => Promise<Uint8Array>);
  /** Whose turn it takes: users who wait are read by turns. */
  user: string;
}

/** For one document; its time counts from when its turn has come. */
export interface ExtractorLimits extends Omit<ReadingTask, 'format' | 'bytes'> {
  /** Documents of one user that are read at the same time; the others wait. One more reader is for other users. */
  concurrency: number;
}

/**
 * Two walls between a hostile document and the rest. Each is read in a thread of its own, which is ended at a limit; and
 * the threads run in processes of their own, one document at a time, since a document can fill a heap so fast that V8
 * aborts the whole process. Such a process is replaced when the next document comes.
 */
export function createExtractor({ concurrency, ...limits }: ExtractorLimits): Extractor {
  const turns = createTurns({ places: concurrency + 1, perKey: concurrency });
  const idle: ReaderProcess[] = [];

  return {
    extract: ({ format, bytes: given, user }, signal) => {
      const work = async () => {
        const bytes = typeof given === 'function' ? await given() : given;
        const reader = idle.pop() ?? startReaderProcess();
        try {
          return await reader.read({ format, bytes, ...limits }, signal);
        } finally {
          if (reader.usable()) idle.push(reader);
        }
      };
      return turns.run(user, work, signal);
    },
    close: async () => {
      await Promise.all(idle.splice(0).map((reader) => reader.end()));
    },
  };
}
