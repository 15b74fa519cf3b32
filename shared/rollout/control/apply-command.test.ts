import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type ControlCommand, type ControlState, type Instruction } from '../../contracts/control.ts';
import { applyCommand, flagsOf, initialState, shareInForce } from './apply-command.ts';

const DAY_MS = 86_400_000;
const NOW = 20_000 * DAY_MS;

type By = Partial<Pick<ControlCommand, 'actor' | 'under'>> & { now?: number };

function apply(state: ControlState, instruction: Instruction, by: By = {}) {
  const { actor = 'operator', now = NOW, ...under } = by;
  return applyCommand(state, { actor, ...under, instruction }, now);
}

function after(state: ControlState, instruction: Instruction, by: By = {}): ControlState {
  const applied = apply(state, instruction, by);
  if ('refused' in applied) throw new Error(applied.refused);
  return applied.state;
}

function set(flags: Record<string, string>): Instruction {
  return { type: 'set', flags };
}

const AT_20 = after(initialState(), set({ MIGRATION_PHASE: '2', LITELLM_PERCENTAGE: '20' }));
const ROLLED_BACK = after(AT_20, { type: 'rollback', why: 'errors' }, { actor: 'judge' });
const FROZEN = after(AT_20, { type: 'freeze', why: 'provider_outage' }, { actor: 'judge' });

describe('flags', () => {
  test('are set in a new epoch, and the others stay', () => {
    const state = after(AT_20, set({ CACHE_PERCENTAGE: '50' }));
    expect(state.epoch).toBe(2);
    expect(flagsOf(state)).toMatchObject({ LITELLM_PERCENTAGE: 20, CACHE_PERCENTAGE: 50 });
    expect(state.step).toEqual(AT_20.step);
  });

  test.each([
    [{ LITELLM_PERCENTAGE: '101' }, 'LITELLM_PERCENTAGE: "101" is not valid'],
    [{ litellm_percentage: '5' }, '"litellm_percentage" is not a flag'],
    [{ MIGRATION_PHASE: '4', ENABLE_CACHE: 'x' }, 'MIGRATION_PHASE: "4" is not valid'],
    [{}, 'the command sets no flags'],
  ])('%j is refused', (flags, why) => {
    expect(apply(AT_20, set(flags))).toEqual({ refused: expect.stringContaining(why) });
  });

  test('that only a newer release knows are ignored', () => {
    expect(flagsOf({ flags: { ...AT_20.flags, NEWER: '1' } }).LITELLM_PERCENTAGE).toBe(20);
  });

  test('that already have the value begin no epoch', () => {
    expect(apply(AT_20, set({ LITELLM_PERCENTAGE: '20' }))).toEqual({
      state: AT_20,
      note: expect.any(String),
    });
  });
});

test('a command that was decided in another epoch is refused', () => {
  expect(apply(AT_20, { type: 'rollback', why: 'errors' }, { actor: 'judge', under: 0 })).toEqual({
    refused: 'the command was decided in epoch 0, but epoch 1 is in force',
  });
});

describe('a rollback', () => {
  test('sets the percentage in force to 0, once', () => {
    expect(shareInForce(ROLLED_BACK)).toBe(0);
    expect(ROLLED_BACK.rolledBack).toEqual({ epoch: 2, at: NOW, actor: 'judge', why: 'errors' });
    expect(apply(ROLLED_BACK, { type: 'rollback', why: 'latency' })).toHaveProperty('refused');
  });

  test('stays in force whatever flags the environment or an operator sets', () => {
    const again = after(ROLLED_BACK, set({ LITELLM_PERCENTAGE: '60', MIGRATION_PHASE: '3' }), {
      actor: 'env',
    });
    expect(shareInForce(again)).toBe(0);
    expect(again.env).toEqual({ LITELLM_PERCENTAGE: '60', MIGRATION_PHASE: '3' });
    expect(again.step).toEqual(ROLLED_BACK.step);
    expect(apply(ROLLED_BACK, set({ LITELLM_PERCENTAGE: '5' }))).toHaveProperty('note');
  });

  test('ends with a resume, at the previous percentage or another one', () => {
    expect(shareInForce(after(ROLLED_BACK, { type: 'resume' }))).toBe(20);
    const lower = after(ROLLED_BACK, { type: 'resume', percentage: 5 });
    expect(shareInForce(lower)).toBe(5);
    expect(lower.rolledBack).toBeUndefined();
  });

  test('at 0% is refused to the judge but allowed to an operator', () => {
    const nobody = after(initialState(), set({ MIGRATION_PHASE: '2' }));
    expect(apply(nobody, { type: 'rollback', why: 'errors' }, { actor: 'judge' })).toHaveProperty('refused');
    expect(apply(nobody, { type: 'rollback', why: 'incident' })).toHaveProperty('state');
  });
});

describe('a freeze', () => {
  test('lets the percentage fall but not grow', () => {
    expect(apply(FROZEN, set({ LITELLM_PERCENTAGE: '30' }))).toEqual({
      refused: 'the rollout is frozen (provider_outage): the percentage cannot grow before a resume',
    });
    expect(shareInForce(after(FROZEN, set({ LITELLM_PERCENTAGE: '10' })))).toBe(10);
    expect(shareInForce(after(FROZEN, { type: 'resume', percentage: 30 }))).toBe(30);
  });

  test('can only be thawed by the actor that froze', () => {
    expect(after(FROZEN, { type: 'thaw' }, { actor: 'judge' }).frozen).toBeUndefined();
    expect(apply(FROZEN, { type: 'thaw' }, { actor: 'plan' })).toHaveProperty('refused');
  });
});

describe('a plan', () => {
  const started = after(AT_20, { type: 'start', steps: [30, 60, 100], dwellMs: 1_000 });

  test('begins with its first step and ends with its last one', () => {
    expect([shareInForce(started), started.plan?.next]).toEqual([30, 1]);
    const second = after(started, { type: 'advance' }, { actor: 'plan' });
    expect([shareInForce(second), second.plan?.next]).toEqual([60, 2]);
    const third = after(second, { type: 'advance' }, { actor: 'plan' });
    expect([shareInForce(third), third.plan]).toEqual([100, undefined]);
    expect(apply(third, { type: 'advance' })).toHaveProperty('refused');
  });

  test.each([
    [[10, 30], 'a plan cannot begin with 10%'],
    [[30, 30], 'must be larger'],
  ])('of %j is refused', (steps, why) => {
    expect(apply(AT_20, { type: 'start', steps, dwellMs: 0 })).toEqual({
      refused: expect.stringContaining(why),
    });
  });

  test('does not advance during a freeze', () => {
    const frozen = after(started, { type: 'freeze', why: 'no_data' }, { actor: 'judge' });
    expect(apply(frozen, { type: 'advance' }, { actor: 'plan' })).toHaveProperty('refused');
  });

  test.each<[string, Instruction]>([
    ['a rollback', { type: 'rollback', why: 'errors' }],
    ['a percentage set by hand', set({ LITELLM_PERCENTAGE: '25' })],
    ['a stop', { type: 'stop' }],
  ])('is ended by %s', (_, instruction) => {
    expect(after(started, instruction).plan).toBeUndefined();
  });

  test('is not ended by another flag', () => {
    expect(after(started, set({ CACHE_PERCENTAGE: '5' })).plan).toEqual(started.plan);
  });
});

describe('a user', () => {
  test('is bypassed, forced or neither, but never both', () => {
    const bypassed = after(AT_20, { type: 'bypass', user: 'ada' });
    expect(flagsOf(bypassed).BYPASS_USER).toEqual(['ada']);
    const forced = after(bypassed, { type: 'force', user: 'ada' });
    expect(flagsOf(forced)).toMatchObject({ BYPASS_USER: [], FORCE_LITELLM_USER: ['ada'] });
    expect(flagsOf(after(forced, { type: 'release', user: 'ada' })).FORCE_LITELLM_USER).toEqual([]);
    expect(forced.step).toEqual(AT_20.step);
  });

  test('whose cache is cleared begins no epoch', () => {
    expect(apply(AT_20, { type: 'clear_cache', user: 'ada' })).toEqual({ state: AT_20 });
  });
});

test('the segment of a step counts the days and steps before it, and restarts at 0 after a percentage of 0', () => {
  const next = after(AT_20, set({ LITELLM_PERCENTAGE: '30' }), { now: NOW + 2 * DAY_MS });
  expect(next.step).toEqual({ epoch: 2, at: NOW + 2 * DAY_MS, segment: 3 });
  expect(after(ROLLED_BACK, { type: 'resume' }).step.segment).toBe(0);
});

const flags = fc.record(
  {
    LITELLM_PERCENTAGE: fc.constantFrom('', '0', '5', '50', '100', '101'),
    MIGRATION_PHASE: fc.constantFrom('1', '2', '3', '9'),
    ENABLE_LITELLM: fc.constantFrom('true', 'false'),
  },
  { requiredKeys: [] },
);
const anything: fc.Arbitrary<Instruction> = fc.oneof(
  fc.record({ type: fc.constant('set' as const), flags: flags }),
  fc.record({ type: fc.constant('rollback' as const), why: fc.constant('errors') }),
  fc.record({ type: fc.constant('freeze' as const), why: fc.constant('no_data') }),
  fc.record({ type: fc.constant('thaw' as const) }),
  fc.record({
    type: fc.constant('start' as const),
    steps: fc.constant<number[]>([5, 50, 100]),
    dwellMs: fc.nat(),
  }),
  fc.record({ type: fc.constant('advance' as const) }),
  fc.record({ type: fc.constant('stop' as const) }),
);
const ACTORS = ['operator', 'env', 'judge', 'plan'] as const;

test('for any commands: epochs grow by one, refusals change nothing, only a resume ends a rollback or lets a frozen percentage grow', () => {
  const commands = fc.array(fc.tuple(fc.constantFrom(...ACTORS), anything), { maxLength: 30 });
  fc.assert(
    fc.property(commands, (sequence) => {
      let state = initialState();
      for (const [actor, instruction] of sequence) {
        const applied = apply(state, instruction, { actor });
        if ('refused' in applied) continue;
        const next = applied.state;
        expect([state.epoch, state.epoch + 1]).toContain(next.epoch);
        if (next.epoch === state.epoch) expect(next).toEqual(state);
        if (state.rolledBack) expect(next.rolledBack).toEqual(state.rolledBack);
        if (state.frozen && !next.rolledBack)
          expect(shareInForce(next)).toBeLessThanOrEqual(shareInForce(state));
        state = next;
      }
    }),
  );
});
