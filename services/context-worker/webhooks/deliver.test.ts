import { describe, expect, test } from '@jest/globals';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { silentLogger } from '../../../shared/platform/log/logger.ts';
import { type DeliveryJob } from '../../../shared/jobs/webhooks/deliveries-queue.ts';
import { type Delivery } from '../../../shared/jobs/webhooks/delivery-log.ts';
import { type Endpoint } from '../../../shared/jobs/webhooks/endpoint-store.ts';
import { sampleEvent } from '../../../shared/jobs/webhooks/event.ts';
import { deliver, type DeliverDeps } from './deliver.ts';
import { createDeliveryLimiter } from './delivery-limiter.ts';
import { type Sent } from './send.ts';

const RETRY_MS = 72 * 3_600_000;
const rejected: Sent = { kind: 'failed', error: new TurnoutError('webhook_rejected'), status: 500 };
const gone: Sent = { kind: 'failed', error: new TurnoutError('webhook_gone'), status: 410 };
const timedOut: Sent = { kind: 'failed', error: new TurnoutError('webhook_timeout') };
const stopped: Sent = { kind: 'failed', error: new TurnoutError('shutting_down') };

function endpointOf(disabled?: 'owner' | 'gone'): Endpoint {
  return {
    version: 1,
    id: 'we_1',
    name: 'n',
    url: 'https://a.example/',
    eventTypes: ['response.completed'],
    createdAt: 0,
    updatedAt: 0,
    secret: '',
    hint: '',
    disabled,
  };
}

function jobOf(changes: Partial<DeliveryJob> = {}): DeliveryJob {
  const event = sampleEvent('response.completed', Date.now());
  return {
    version: 1,
    user: 'u',
    endpointId: 'we_1',
    createdAt: Date.now(),
    event,
    test: false,
    ...changes,
  };
}

/** The dependencies for one endpoint that always answers with `sent`. */
function system(sent: Sent, endpoint = endpointOf()) {
  const written: Delivery[] = [];
  const state: { endpoint: Endpoint | undefined; sends: number } = { endpoint, sends: 0 };
  const deps: DeliverDeps = {
    endpoints: {
      find: () => Promise.resolve(state.endpoint),
      change: (_user, _id, change) => {
        state.endpoint = state.endpoint && change(state.endpoint);
        return Promise.resolve(state.endpoint);
      },
    },
    deliveries: { write: (_user, _id, delivery) => Promise.resolve(void written.push(delivery)) },
    limiter: createDeliveryLimiter(() => Promise.resolve(false)),
    send: () => {
      state.sends += 1;
      return Promise.resolve(sent);
    },
    retryForMs: RETRY_MS,
    observe: () => undefined,
    log: silentLogger,
  };
  return { deps, state, written };
}

describe('a delivery', () => {
  test('that is accepted is done', async () => {
    const { deps, written } = system({ kind: 'delivered', status: 204 });
    expect(await deliver(deps, jobOf(), 2)).toEqual({ kind: 'ended' });
    expect(written).toMatchObject([{ state: 'delivered', tries: 3, status: 204 }]);
    expect(written[0]).not.toHaveProperty('error');
  });

  test.each([
    ['rejected', rejected, { status: 500, error: 'webhook_rejected' }],
    ['not answered', timedOut, { error: 'webhook_timeout' }],
  ])('that is %s is retried', async (_what, sent, logged) => {
    const { deps, written } = system(sent);
    expect(await deliver(deps, jobOf(), 0)).toMatchObject({ kind: 'again' });
    expect(written).toMatchObject([{ state: 'retrying', tries: 1, ...logged }]);
    expect(written[0]?.nextTryAt).toBeGreaterThan(Date.now());
  });

  test('waits as long as its endpoint requests', async () => {
    const { deps } = system({ ...rejected, retryAfterMs: 60_000 });
    expect(await deliver(deps, jobOf(), 0)).toMatchObject({ kind: 'again', afterMs: 60_000 });
  });

  test('fails when its retry time is over, after one more try', async () => {
    const { deps, state, written } = system(rejected);
    const createdAt = Date.now() - RETRY_MS - 1;
    expect(await deliver(deps, jobOf({ createdAt }), 20)).toEqual({ kind: 'ended' });
    expect(state.sends).toBe(1);
    expect(written).toMatchObject([{ state: 'failed', tries: 21, error: 'webhook_rejected' }]);
    expect(written[0]).not.toHaveProperty('nextTryAt');
  });

  test('whose endpoint answers 410 disables the endpoint and fails', async () => {
    const { deps, state, written } = system(gone);
    expect(await deliver(deps, jobOf(), 0)).toEqual({ kind: 'ended' });
    expect(state.endpoint).toMatchObject({ disabled: 'gone' });
    expect(written).toMatchObject([{ state: 'failed', status: 410, error: 'webhook_gone' }]);
  });

  test('to a disabled endpoint is not sent', async () => {
    const { deps, state, written } = system(gone, endpointOf('owner'));
    expect(await deliver(deps, jobOf(), 3)).toEqual({ kind: 'ended' });
    expect(state.sends).toBe(0);
    expect(written).toMatchObject([{ state: 'failed', tries: 3, error: 'webhook_disabled' }]);
  });

  test('to a removed endpoint is neither sent nor logged', async () => {
    const { deps, state, written } = system(gone);
    state.endpoint = undefined;
    expect(await deliver(deps, jobOf(), 0)).toEqual({ kind: 'ended' });
    expect([state.sends, written]).toEqual([0, []]);
  });

  test('that is interrupted by a shutdown does not count as a try and is due at once', async () => {
    const { deps, written } = system(stopped);
    expect(await deliver(deps, jobOf(), 0)).toEqual({ kind: 'later', afterMs: 0 });
    expect(written).toEqual([]);
  });

  test('over the limit is postponed, and each try releases its slot', async () => {
    const { deps, state } = system(rejected);
    const held = Array.from({ length: 4 }, () => deps.limiter.enter('u', 'we_1', 'whd_'));
    expect(await deliver(deps, jobOf(), 0)).toMatchObject({ kind: 'later', afterMs: 1_000 });
    expect(state.sends).toBe(0);
    const [first] = held;
    if (first?.kind === 'entered') first.leave();
    for (let turn = 0; turn < 3; turn += 1) await deliver(deps, jobOf(), 0);
    expect(state.sends).toBe(3);
  });
});

describe('a test delivery', () => {
  test.each([
    ['accepted', { kind: 'delivered', status: 200 } as const, { status: 200 }],
    ['rejected', rejected, { status: 500 }],
    ['answered with 410', gone, { status: 410 }],
    ['not answered', timedOut, { error: 'webhook_timeout', message: timedOut.error.message }],
  ])('that is %s returns the result, is not retried and is not logged', async (_what, sent, result) => {
    const { deps, state, written } = system(sent, endpointOf('owner'));
    expect(await deliver(deps, jobOf({ test: true }), 0)).toEqual({ kind: 'ended', result });
    expect(written).toEqual([]);
    expect(state.endpoint).toMatchObject({ disabled: 'owner' });
  });
});
