/** Types for an internal module of kafkajs 2.2 that has none. */
declare module 'kafkajs/src/network/requestQueue/index.js' {
  export default class RequestQueue {
    constructor(options: object);
    pending: unknown[];
    /** Milliseconds since the epoch; -1 if the broker does not throttle. */
    throttledUntil: number;
    /** Null if no timer is set. */
    throttleCheckTimeoutId: unknown;
    scheduleCheckPendingRequests(): void;
    destroy(): void;
  }
}
