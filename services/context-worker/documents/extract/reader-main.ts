import { type Extraction } from './extract-thread.ts';
import { readInThread, type ReadingTask } from './read-in-thread.ts';

/** What a reader answers to a task. `failure`: it was not the document's doing. */
export type ReaderAnswer = Extraction | { failure: string };

async function answer(task: ReadingTask): Promise<ReaderAnswer> {
  try {
    return await readInThread(task);
  } catch (error) {
    return { failure: String(error) };
  }
}

// A terminal signals a whole group of processes: the parent decides when this one goes, or goes itself.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined);
process.on('disconnect', () => process.exit());
process.on('message', (task: ReadingTask) => {
  void answer(task).then((result) => process.send?.(result));
});
