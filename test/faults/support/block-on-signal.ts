import { isMainThread } from 'node:worker_threads';

/** Preloaded into a service: SIGWINCH blocks its main thread for longer than a lock lasts, like a synchronous computation. */
const BLOCKED_MS = 12_000;

if (isMainThread)
  process.on('SIGWINCH', () => {
    const until = performance.now() + BLOCKED_MS;
    while (performance.now() < until);
  });
