import RequestQueue from 'kafkajs/src/network/requestQueue/index.js';

/**
 * Works around a bug of kafkajs 2.2.4 (tulios/kafkajs#1704, #1751): on every idle connection it sets a timer of (-1 - now)
 * milliseconds, which Node turns into 1 ms, again and again. That costs about 4% of a core for each process and causes Node's
 * TimeoutNegativeWarning. With no pending and no throttled requests the check is unnecessary: each response triggers its own.
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
