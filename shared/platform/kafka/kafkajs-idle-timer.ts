import RequestQueue from 'kafkajs/src/network/requestQueue/index.js';

/**
 * kafkajs 2.2.4 arms a timer of (-1 - now) milliseconds, which is 1 ms, for ever on every idle connection
 * (tulios/kafkajs#1704, #1751): about 4% of a core for each process, and Node's TimeoutNegativeWarning. With nothing
 * pending and nothing throttled there is nothing to check: a response checks by itself.
 */
export function stopIdleTimers(): void {
  const { prototype } = RequestQueue;
  const original = Object.getOwnPropertyDescriptor(prototype, 'scheduleCheckPendingRequests')?.value as
    RequestQueue['scheduleCheckPendingRequests'] | undefined;
  if (!original || REPLACED in prototype) return;
  Object.defineProperty(prototype, REPLACED, { value: true });
  prototype.scheduleCheckPendingRequests = function scheduleWhenPending(this: RequestQueue): void {
    if (this.pending.length === 0 && this.throttledUntil <= Date.now()) return;
    original.call(this);
  };
}

const REPLACED = Symbol('idle timers are stopped');
