/** A part of kafkajs 2.2 that it has no types for. */
declare module 'kafkajs/src/network/requestQueue/index.js' {
  export default class RequestQueue {
    constructor(options: object);
    pending: unknown[];
    /** Milliseconds since the epoch; -1 when the broker does not throttle. */
    throttledUntil: number;
    /** Null when no timer is armed. */
    throttleCheckTimeoutId: unknown;
    scheduleCheckPendingRequests(): void;
    destroy(): void;
  }
}
