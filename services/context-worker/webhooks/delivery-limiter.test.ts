import { describe, expect, test } from '@jest/globals';
import { createDeliveryLimiter, type DeliveryEntry } from './delivery-limiter.ts';

/** A gate, and what it has woken; `gone`: deliveries that are not delayed any more. */
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

describe('the gate', () => {
  test('lets four of an endpoint in, and another endpoint beside them', () => {
    const { enter } = system();
    expect(kinds(enter(5))).toEqual([...Array<string>(4).fill('entered'), 'full']);
    expect(kinds(enter(1, 'e2'))).toEqual(['entered']);
  });

  test('lets sixteen of a user in, and another user beside them', () => {
    const { enter } = system();
    const entries = ['a', 'b', 'c', 'd', 'e'].flatMap((endpoint) => enter(4, endpoint));
    expect(entries.filter(({ kind }) => kind === 'entered')).toHaveLength(16);
    expect(kinds(enter(1, 'e', 'u2'))).toEqual(['entered']);
  });

  test('wakes the first that waits for each that leaves', async () => {
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

  test('wakes the next one where the first is gone: its delay was over, or another process had it', async () => {
    const { enter, woken } = system(['d5', 'd6']);
    const [first, , , , ...others] = enter(8);
    goBack(...others);
    await leave(first);
    expect(woken).toEqual(['d7']);
  });

  test('wakes at once what goes back when there is room again', async () => {
    const { enter, woken } = system();
    const [first, , , , fifth] = enter(5);
    await leave(first);
    goBack(fifth);
    await turn();
    expect(woken).toEqual(['d5']);
  });

  test('wakes nobody twice who came back by himself', async () => {
    const { enter, woken, limiter } = system();
    const [first, , , , fifth] = enter(5);
    goBack(fifth);
    expect(limiter.enter('u1', 'e1', 'd5').kind).toBe('full');
    await leave(first);
    expect(woken).toEqual([]);
  });
});

test('a gate that is closed wakes nobody', async () => {
  const { enter, woken, limiter } = system();
  const [first, , , , fifth] = enter(5);
  goBack(fifth);
  await limiter.close();
  await leave(first);
  expect(woken).toEqual([]);
});

test('a gate whose Redis is away tries again when the next one leaves', async () => {
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

describe('whoever is not woken comes back', () => {
  test('in a second, where the endpoint is a quick one', () => {
    const { enter } = system();
    expect(waitsOf(enter(5).at(-1))).toBe(1_000);
  });

  test('later, the longer its oldest try takes and the longer the line is', () => {
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

  test('in ten minutes at the latest', () => {
    const { state, enter } = system();
    enter(4);
    state.now = 15_000;
    goBack(...enter(1_000));
    expect(waitsOf(enter(1)[0])).toBe(600_000);
  });
});
