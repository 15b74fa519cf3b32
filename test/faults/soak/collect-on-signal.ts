/**
 * Loaded before each service of a soak (`NODE_OPTIONS=--import`). On SIGWINCH, which nothing else uses, it collects garbage: V8 keeps garbage
 * as long as the machine has free memory, so the memory that a process occupies does not show what it retains.
 */
import { isMainThread } from 'node:worker_threads';

if (isMainThread)
  process.on('SIGWINCH', () => {
    globalThis.gc?.();
  });
