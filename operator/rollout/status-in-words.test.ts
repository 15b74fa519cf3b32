import { expect, test } from '@jest/globals';
import { initialState } from '../../shared/rollout/control/apply-command.ts';
import { type RolloutStatus } from '../../shared/rollout/control/read-status.ts';
import { statusInWords } from './status-in-words.ts';

const HOUR_MS = 3_600_000;
const NOW = 100 * HOUR_MS;
const path = { jobs: 400, failures: 8, errorRate: 2, firstTokenMs: { p50: 300.4, p95: undefined } };

function status(more: Partial<RolloutStatus> = {}): RolloutStatus {
  const { step } = initialState();
  return {
    epoch: 7,
    since: NOW - HOUR_MS,
    percentage: 15,
    flags: { MIGRATION_PHASE: '2' },
    rolledBack: undefined,
    frozen: undefined,
    plan: undefined,
    step: { ...step, epoch: 7, at: NOW - HOUR_MS },
    beatAt: NOW - 1_000,
    instances: [],
    safety: undefined,
    ...more,
  };
}

const words = (more: Partial<RolloutStatus> = {}) => statusInWords(status(more), NOW).join('\n');

test('before the first command the status says only that there was none', () => {
  expect(statusInWords(status({ epoch: 0 }), NOW)).toEqual([
    'No command was ever given: each process uses the flags of its own environment.',
  ]);
});

test('a rollback is shown with its actor, its reason, and the command that ends it', () => {
  const rolledBack = { epoch: 7, at: NOW, actor: 'judge' as const, why: 'errors' };
  expect(words({ rolledBack, percentage: 0 })).toMatch(
    /^LiteLLM: 0% .*\nRolled back by judge at 1970-01-05T04:00:00.000Z \(epoch 7\): errors. `turnout rollout resume` ends it\./,
  );
});

test('the reason of an operator cannot add lines to the output', () => {
  const frozen = { epoch: 7, at: NOW, actor: 'operator' as const, why: 'release\nLeader: fine\u001b[2J' };
  expect(words({ frozen })).not.toMatch(/^Leader: fine/m);
  expect(words({ frozen })).not.toContain('\u001b');
});

test('a plan is shown with its next step and when that is due', () => {
  const plan = { steps: [15, 30], dwellMs: 48 * HOUR_MS, next: 1 };
  expect(words({ plan })).toContain('Plan: 15, 30. Next: 30%, after 2d (1970-01-07T03:00:00.000Z)');
});

test('after more than five seconds without a heartbeat there is no leader', () => {
  expect(words({ beatAt: NOW - 5_000 })).toContain('Leader: last heartbeat 5 s ago');
  expect(words({ beatAt: NOW - 61_000 })).toContain('Leader: NONE for 61 s.');
});

test('instances that have not applied the epoch are named', () => {
  const instance = (service: string, epoch: number) => ({
    service,
    epoch,
    at: NOW,
    seenAt: NOW,
  });
  expect(words({ instances: [instance('router', 7), instance('llm-worker', 6)] })).toContain(
    'Instances: 1 of 2 have applied epoch 7. Behind: llm-worker (6)',
  );
});

test("the judge's evidence is shown beside its thresholds", () => {
  const evidence = { errors: { evidence: 4.715, decisive: 6.899, canary: 9, control: 1 } };
  const told = words({
    safety: {
      at: NOW - 2_000,
      epoch: 6,
      percentage: 15,
      verdict: { kind: 'unsure', why: 'suspicion' },
      evidence,
      points: { difference: 1.5, low: 0.2, high: 2.8 },
      litellm: path,
      legacy: { ...path, jobs: 900 },
    },
  });
  expect(told).toContain('Judge, 2 s ago, for epoch 6: unsure: suspicion');
  expect(told).toContain('errors 4.71 of 6.90');
  expect(told).toContain('Error rate, LiteLLM minus legacy: 1.5 points (0.2 to 2.8)');
  expect(told).toMatch(/litellm +400 +2% +300 ms +-/);
});
