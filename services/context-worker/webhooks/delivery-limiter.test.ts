import { describe, expect, test } from '@jest/globals';
import { createDeliveryLimiter, type DeliveryEntry } from './delivery-limiter.ts';

/** A limiter, and the deliveries that it has resumed. `gone`: deliveries that are no longer delayed. */
function system(gone: readonly string[] = []) {
  const state = { now: 0 };
  const woken: string[] = [];
  const wake = (id: string) => {
    if (gone.includes(id)) return Promise.resolve(false);
    woken.push(id);
    return Promise.resolve(true);
  };
  const limiter = createDeliveryLimiter(wake, () => state.now);
  let count = 0;
  const enter = (times: number, endpoint = 'e1', user = 'u1') =>
    Array.from({ length: times }, () => limiter.enter(user, endpoint, `d${(count += 1)}`));
  return { state, woken, limiter, enter };
}

const kinds = (entries: readonly DeliveryEntry[]) => entries.map(({ kind }) => kind);
const waitsOf = (entry: DeliveryEntry | undefined) => (entry?.kind === 'full' ? entry.waitMs : 0);
const turn = () => new Promise((resolve) => setImmediate(resolve));

async function leave(...entries: readonly (DeliveryEntry | undefined)[]): Promise<void> {
  for (const entry of entries) if (entry?.kind === 'entered') entry.leave();
  await turn();
}

function goBack(...entries: readonly (DeliveryEntry | undefined)[]): void {
  for (const entry of entries) if (entry?.kind === 'full') entry.waits();
}

describe('the delivery limiter', () => {
  test('allows four tries per endpoint, independent of other endpoints', () => {
    const { enter } = system();
    expect(kinds(enter(5))).toEqual([...Array<string>(4).fill('entered'), 'full']);
    expect(kinds(enter(1, 'e2'))).toEqual(['entered']);
  });

  test('allows sixteen tries per user, independent of other users', () => {
    const { enter } = system();
    const entries = ['a', 'b', 'c', 'd', 'e'].flatMap((endpoint) => enter(4, endpoint));
    expect(entries.filter(({ kind }) => kind === 'entered')).toHaveLength(16);
    expect(kinds(enter(1, 'e', 'u2'))).toEqual(['entered']);
  });

  test('resumes the first waiting delivery for each try that ends', async () => {
    const { enter, woken } = system();
    const [first, second, , , ...others] = enter(7);
    goBack(...others);
    expect(woken).toEqual([]);
    await leave(first);
    expect(woken).toEqual(['d5']);
    expect(kinds(enter(2))).toEqual(['entered', 'full']);
    await leave(second);
    expect(woken).toEqual(['d5', 'd6']);
  });

  test('resumes the next delivery when the first is no longer delayed', async () => {
    const { enter, woken } = system(['d5', 'd6']);
    const [first, , , , ...others] = enter(8);
    goBack(...others);
    await leave(first);
    expect(woken).toEqual(['d7']);
  });

  test('resumes a delivery at once when a slot became free before it was queued', async () => {
    const { enter, woken } = system();
    const [first, , , , fifth] = enter(5);
    await leave(first);
    goBack(fifth);
    await turn();
    expect(woken).toEqual(['d5']);
  });

  test('does not resume a delivery that came back after its delay', async () => {
    const { enter, woken, limiter } = system();
    const [first, , , , fifth] = enter(5);
    goBack(fifth);
    expect(limiter.enter('u1', 'e1', 'd5').kind).toBe('full');
    await leave(first);
    expect(woken).toEqual([]);
  });
});

test('a closed limiter resumes nothing', async () => {
  const { enter, woken, limiter } = system();
  const [first, , , , fifth] = enter(5);
  goBack(fifth);
  await limiter.close();
  await leave(first);
  expect(woken).toEqual([]);
});

test('a limiter whose Redis is unavailable resumes the next delivery when the next try ends', async () => {
  const asked: string[] = [];
  const limiter = createDeliveryLimiter((id) => {
    asked.push(id);
    return Promise.reject(new Error('Connection is closed.'));
  });
  const entries = Array.from({ length: 7 }, (_, n) => limiter.enter('u1', 'e1', `d${n}`));
  goBack(...entries);
  await leave(entries[0]);
  expect(asked).toEqual(['d4']);
  await leave(entries[1]);
  expect(asked).toEqual(['d4', 'd5']);
  await limiter.close();
});

describe('a delivery that is not resumed comes back', () => {
  test('after a second for a fast endpoint', () => {
    const { enter } = system();
    expect(waitsOf(enter(5).at(-1))).toBe(1_000);
  });

  test('later, the longer the oldest try takes and the more deliveries wait', () => {
    const { state, enter } = system();
    enter(4);
    state.now = 8_000;
    const lines = [1, 2, 3].map(() => {
      const [entry] = enter(1);
      goBack(entry);
      return waitsOf(entry);
    });
    expect(lines).toEqual([2_000, 4_000, 6_000]);
  });

  test('after ten minutes at the latest', () => {
    const { state, enter } = system();
    enter(4);
    state.now = 15_000;
    goBack(...enter(1_000));
    expect(waitsOf(enter(1)[0])).toBe(600_000);
  });
});
