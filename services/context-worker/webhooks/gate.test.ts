import { describe, expect, test } from '@jest/globals';
import { createGate, type Gate } from './gate.ts';

function enter(gate: Gate, times: number, endpoint = 'e1', user = 'u1') {
  return Array.from({ length: times }, () => gate.enter(user, endpoint));
}

const leaveAll = (entries: readonly ReturnType<Gate['enter']>[]) => {
  for (const entry of entries) if (entry.kind === 'entered') entry.leave();
};

const kinds = (entries: readonly { kind: string }[]) => entries.map(({ kind }) => kind);
const waits = (entries: readonly ReturnType<Gate['enter']>[]) =>
  entries.map((entry) => (entry.kind === 'full' ? entry.waitMs : 0));

describe('the gate', () => {
  test('lets four of an endpoint in, and another endpoint beside them', () => {
    const gate = createGate();
    expect(kinds(enter(gate, 5))).toEqual([...Array<string>(4).fill('entered'), 'full']);
    expect(kinds(enter(gate, 1, 'e2'))).toEqual(['entered']);
  });

  test('lets sixteen of a user in, and another user beside them', () => {
    const gate = createGate();
    const entries = ['a', 'b', 'c', 'd', 'e'].flatMap((endpoint) => enter(gate, 4, endpoint));
    expect(entries.filter(({ kind }) => kind === 'entered')).toHaveLength(16);
    expect(kinds(enter(gate, 1, 'e', 'u2'))).toEqual(['entered']);
  });

  test('has room again for each that left', () => {
    const gate = createGate();
    const [first] = enter(gate, 4);
    if (first) leaveAll([first]);
    expect(kinds(enter(gate, 2))).toEqual(['entered', 'full']);
  });

  test('sends away those that find no room one behind the other, at the pace of the endpoint', () => {
    let now = 0;
    const gate = createGate(() => now);
    const [first, ...others] = enter(gate, 4);
    now = 40_000;
    if (first) leaveAll([first]);
    enter(gate, 1);
    const [one = 0, two = 0, three = 0] = waits(enter(gate, 3));
    // 100 ms guessed, one try of 40 s measured: about 12 s a try, four at a time.
    expect(one).toBeGreaterThan(2_500);
    expect(two - one).toBeCloseTo(one, -1);
    expect(three - two).toBeCloseTo(one, -1);
    leaveAll(others);
  });

  test('never sends one away for more than ten minutes, or for next to no time', () => {
    const gate = createGate(() => 0);
    enter(gate, 4);
    const all = waits(enter(gate, 30_000));
    expect(all[0]).toBe(100);
    expect(all.at(-1)).toBe(600_000);
  });
});
