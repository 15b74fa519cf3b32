import { describe, expect, test } from '@jest/globals';
import { type Failure } from './failures.ts';
import { type Verdict } from './judge.ts';
import { isClean, type RoundResult, toReport, toTable } from './tally.ts';
import { describeTarget } from './targets.ts';

const verdict: Verdict = {
  status: 'failed',
  lost: false,
  doubled: false,
  torn: false,
  duplicateCalls: 0,
  unexplained: false,
  unpaid: false,
  usageDifference: 0,
  complaints: [],
};

function report(failures: Failure[], more: Partial<RoundResult> = {}) {
  const verdicts = Array.from({ length: 100 }, () => verdict);
  const round: RoundResult = {
    kind: 'kill llm-worker',
    verdicts,
    failures,
    recoveryMs: [],
    found: [],
    ...more,
  };
  return toReport([round], { seed: 1, leftovers: [], at: '', seconds: 1 });
}

const failures = (count: number, byDesign: boolean): Failure[] =>
  Array.from({ length: count }, () => ({ code: 'deadline_exceeded', byDesign }));

describe('a run', () => {
  test('is clean with few failures, and with failures by design', () => {
    const seen = report([...failures(2, false), ...failures(40, true)]);
    expect(isClean(seen)).toBe(true);
    expect(seen.byKind).toMatchObject([{ failedByDesign: 40, failures: { deadline_exceeded: 2 } }]);
    expect(toTable(seen)).toMatch(/failed +by design[^]*100 +40 /);
  });

  test('is not clean with a single complaint', () => {
    const torn = { ...verdict, torn: true, complaints: ['job_1: the log has a gap'] };
    const seen = report([], { verdicts: [verdict, torn] });
    expect(isClean(seen)).toBe(false);
    expect(seen).toMatchObject({ torn: 1, complaints: ['job_1: the log has a gap'] });
  });

  test('is not clean if a fault itself found something wrong', () => {
    const seen = report([], { found: ['a file is gone'] });
    expect(isClean(seen)).toBe(false);
    expect(seen.complaints).toEqual(['kill llm-worker: a file is gone']);
  });

  test('is not clean with many failures under one kind of fault', () => {
    const seen = report(failures(3, false));
    expect(isClean(seen)).toBe(false);
    expect(seen.tooManyFailures).toEqual([
      'kill llm-worker: 3 of 100 jobs failed that need not have, not 2: {"deadline_exceeded":3}',
    ]);
  });
});

describe('a target recovery time', () => {
  test.each([
    ['met', [4_000, 7_900], true],
    ['missed', [4_000, 8_100], false],
  ])('is %s, and does not decide the result', (outcome, recoveryMs, met) => {
    const seen = report([], { recoveryMs });
    expect(seen.heldTo).toMatchObject([{ limitMs: 8_000, met, seen: { p50: 4_000, max: recoveryMs[1] } }]);
    expect(seen.heldTo.map(describeTarget).join()).toMatch(
      new RegExp(`^held to 8 s, a killed worker.*p50 4000 ms, p99 ${recoveryMs[1]} ms.*: ${outcome}$`),
    );
    expect(isClean(seen)).toBe(true);
  });

  test('is not judged if no client was waiting', () => {
    expect(report([]).heldTo).toMatchObject([{ seen: null, met: null }]);
  });
});
