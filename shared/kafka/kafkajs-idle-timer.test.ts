import { createRequire } from 'node:module';
import { expect, test } from '@jest/globals';
import { stopIdleTimers } from './kafkajs-idle-timer.ts';

interface Queue {
  throttleCheckTimeoutId: unknown;
  scheduleCheckPendingRequests(): void;
  destroy(): void;
}

test('an idle connection arms no timer', () => {
  stopIdleTimers();
  const load = createRequire(import.meta.url);
  const RequestQueue = load('kafkajs/src/network/requestQueue/index.js') as new (options: object) => Queue;
  const logger = { namespace: () => ({ debug: () => undefined }) };
  const queue = new RequestQueue({
    maxInFlightRequests: 1,
    requestTimeout: 1,
    enforceRequestTimeout: false,
    clientId: 'x',
    broker: 'y',
    logger,
  });
  queue.scheduleCheckPendingRequests();
  expect(queue.throttleCheckTimeoutId).toBeNull();
});
