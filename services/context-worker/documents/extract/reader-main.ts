import { type Extraction } from './extract-thread.ts';
import { readInThread, type ReadingTask } from './read-in-thread.ts';

/** A reader's answer to a task. `failure`: an error that the document did not cause. */
export type ReaderAnswer = Extraction | { failure: string };

async function answer(task: ReadingTask): Promise<ReaderAnswer> {
  try {
    return await readInThread(task);
  } catch (error) {
    return { failure: String(error) };
  }
}

// A terminal sends signals to the whole process group. This process ignores them and ends when its parent kills it or disconnects.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined);
process.on('disconnect', () => process.exit());
process.on('message', (task: ReadingTask) => {
  void answer(task).then((result) => process.send?.(result));
});
