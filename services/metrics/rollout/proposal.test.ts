import { describe, expect, test } from '@jest/globals';
import { type ControlState } from '../../../shared/contracts/control.ts';
import { initialState } from '../../../shared/rollout/control/apply-command.ts';
import { type Judgement, type Verdict } from '../../../shared/rollout/judge/judge.ts';
import { proposalOf } from './proposal.ts';

const HOUR_MS = 3_600_000;
const NOW = 100 * HOUR_MS;

function state(more: Partial<ControlState> & { share?: string } = {}): ControlState {
  const { share = '15', ...rest } = more;
  return {
    ...initialState(),
    epoch: 4,
    flags: { MIGRATION_PHASE: '2', LITELLM_PERCENTAGE: share },
    step: { epoch: 4, at: 0, segment: 0 },
    ...rest,
  };
}

const frozen = (why: string, actor: 'judge' | 'operator' = 'judge') => ({ epoch: 4, at: 0, actor, why });
const plan = { steps: [15, 30], dwellMs: 48 * HOUR_MS, next: 1 };

function proposed(verdict: Verdict, of: ControlState, troubledAt = 0) {
  const judgement: Judgement = { verdict, tests: {}, difference: undefined };
  return proposalOf(of, judgement, { now: NOW, troubledAt })?.instruction.type;
}

describe('a verdict leads to', () => {
  const cases: [string, Verdict, ControlState, string | undefined][] = [
    ['a rollback', { kind: 'rollback', test: 'errors' }, state(), 'rollback'],
    [
      'no rollback when ENABLE_ROLLBACK is false',
      { kind: 'rollback', test: 'errors' },
      state({ flags: { ENABLE_ROLLBACK: 'false', LITELLM_PERCENTAGE: '15', MIGRATION_PHASE: '2' } }),
      undefined,
    ],
    [
      'a rollback of a frozen rollout',
      { kind: 'rollback', test: 'errors' },
      state({ frozen: frozen('no_data') }),
      'rollback',
    ],
    ['a freeze', { kind: 'freeze', why: 'provider_outage' }, state(), 'freeze'],
    ['no second freeze', { kind: 'freeze', why: 'no_data' }, state({ frozen: frozen('no_data') }), undefined],
    [
      'no freeze of a share that cannot grow',
      { kind: 'freeze', why: 'no_data' },
      state({ share: '100' }),
      undefined,
    ],
    ['the next step of a plan', { kind: 'safe' }, state({ plan }), 'advance'],
    [
      'no step before the dwell time is over',
      { kind: 'safe' },
      state({ plan, step: { epoch: 4, at: NOW - HOUR_MS, segment: 0 } }),
      undefined,
    ],
    ['no step while unsure', { kind: 'unsure', why: 'few_jobs' }, state({ plan }), undefined],
    ['no step while frozen', { kind: 'safe' }, state({ plan, frozen: frozen('x', 'operator') }), undefined],
    ['nothing without a plan', { kind: 'safe' }, state(), undefined],
    ['nothing while no user is on LiteLLM', { kind: 'idle' }, state({ share: '0' }), undefined],
  ];
  test.each(cases)('%s', (_what, verdict, of, type) => {
    expect(proposed(verdict, of)).toBe(type);
  });
});

describe('a freeze', () => {
  test.each(['provider_outage', 'no_data', 'no_legacy_path'])(
    'for %s ends five minutes after its cause',
    (why) => {
      expect(proposed({ kind: 'safe' }, state({ frozen: frozen(why) }), NOW - 60_000)).toBeUndefined();
      expect(proposed({ kind: 'safe' }, state({ frozen: frozen(why) }), NOW - 300_000)).toBe('thaw');
    },
  );

  test('for a wrong sample ratio, or by an operator, does not end automatically', () => {
    expect(proposed({ kind: 'safe' }, state({ frozen: frozen('sample_ratio') }))).toBeUndefined();
    expect(proposed({ kind: 'safe' }, state({ frozen: frozen('no_data', 'operator') }))).toBeUndefined();
  });
});
