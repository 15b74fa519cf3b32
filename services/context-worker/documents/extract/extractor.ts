import { createTurns } from '../../../../shared/platform/util/turns.ts';
import { type ReadingTask } from './read-in-thread.ts';
import { type ReaderProcess, startReaderProcess } from './reader-process.ts';

export interface Extractor {
  /**
   * The document's text, as UTF-8. Throws `UnreadableDocument` for every failure that the document causes. Rejects with the signal's
   * reason when aborted, which also ends the extraction. Bytes given as a function are fetched when the document's turn has come, because
   * many large documents may wait.
   */
  extract(input: DocumentToRead, signal?: AbortSignal): Promise<Buffer>;
  /** Ends the reader processes. Call it when nothing is being read. */
  close(): Promise<void>;
}

export interface DocumentToRead extends Pick<ReadingTask, 'format'> {
  bytes: Uint8Array | (() => Promise<Uint8Array>);
  /** The user that the document belongs to; waiting users take turns. */
  user: string;
}

/** The limits for one document; its time starts when its turn has come. */
export interface ExtractorLimits extends Omit<ReadingTask, 'format' | 'bytes'> {
  /** Documents of one user that are read in parallel; the others wait. One more reader is reserved for other users. */
  concurrency: number;
}

/**
 * Isolates hostile documents in two layers. Each document is read in its own thread, which is terminated at a limit. The threads run in
 * separate processes, one document at a time, because a document can fill the heap so fast that V8 aborts the whole process. A crashed
 * process is replaced when the next document comes.
 */
export function createExtractor({ concurrency, ...limits }: ExtractorLimits): Extractor {
  const turns = createTurns({ slots: concurrency + 1, perKey: concurrency });
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
