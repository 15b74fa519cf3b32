/**
 * Loaded before each service of a soak (`NODE_OPTIONS=--import`): on SIGWINCH, which nothing else uses, it collects garbage. V8 lets garbage
 * lie for as long as the machine has memory, so what a process occupies says nothing of what it keeps.
 */
import { isMainThread } from 'node:worker_threads';

if (isMainThread)
  process.on('SIGWINCH', () => {
    globalThis.gc?.();
  });
