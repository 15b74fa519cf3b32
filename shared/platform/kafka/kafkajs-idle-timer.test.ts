import { expect, test } from '@jest/globals';
import RequestQueue from 'kafkajs/src/network/requestQueue/index.js';
import { stopIdleTimers } from './kafkajs-idle-timer.ts';

test('an idle connection sets no timer', () => {
  stopIdleTimers();
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
