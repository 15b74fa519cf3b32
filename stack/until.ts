import { setTimeout as delay } from 'node:timers/promises';

/**
 * Asks again and again until the answer is true. Returns false when `timeoutMs` have passed first.
 * Errors of the question are the caller's: they end the wait.
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
