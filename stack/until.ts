import { setTimeout as delay } from 'node:timers/promises';

/**
 * Polls until `question` returns true. Returns false if `timeoutMs` passes first. An error from `question` ends the wait and is
 * passed to the caller.
 */
export async function until(
  question: () => boolean | Promise<boolean>,
  options: { timeoutMs: number; everyMs?: number },
): Promise<boolean> {
  const deadline = performance.now() + options.timeoutMs;
  for (;;) {
    if (await question()) return true;
    if (performance.now() >= deadline) return false;
    await delay(options.everyMs ?? 100);
  }
}
