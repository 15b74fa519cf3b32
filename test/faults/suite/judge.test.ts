import { describe, expect, test } from '@jest/globals';
import { type JobEvent } from '../../../shared/contracts/job-event.ts';
import { type JobView } from '../../../shared/jobs/joblog/job-log.ts';
import { type Call } from '../../upstream/ledger.ts';
import { type Sight, type Testimony } from './client.ts';
import { type Failover, judge, type Verdict } from './judge.ts';

const EXPECTED = 'The line from the harbour ends at platform four, behind the old shed.';
const HALF = EXPECTED.slice(0, 30);

const text = (delta: string): JobEvent => ({ type: 'text', choice: 0, delta });
const attempt = (number: number): JobEvent => ({ type: 'attempt', at: 1, attempt: number, path: 'litellm' });
const usage = (tokens: number, source: 'reported' | 'estimated' = 'reported'): JobEvent => ({
  type: 'usage',
  attempt: 1,
  call: 1,
  source,
  usage: { prompt_tokens: 3, completion_tokens: tokens, total_tokens: 3 + tokens },
});
const released: JobEvent = { type: 'released', at: 1, attempt: 1 };
const completed: JobEvent = { type: 'completed', at: 2 };
const call = { outcome: 'completed', promptTokens: 3, completionTokens: 9 } as Call;
const aborted = { ...call, outcome: 'aborted', completionTokens: 4 } as Call;
const whole: Sight = {
  askedAt: 0,
  arrivals: [],
  text: EXPECTED,
  accepted: true,
  done: true,
  error: undefined,
};
const cut: Sight = { ...whole, text: HALF, done: false };

interface Case {
  events?: JobEvent[];
  state?: JobView['state'];
  sights?: Sight[];
  calls?: Call[];
  failover?: Failover;
}

function verdict({
  events = GOOD,
  state = 'completed',
  sights = [whole],
  calls = [call],
  ...rest
}: Case): Verdict {
  const entries = events.map((event, at) => ({ sequence: at + 1, event }));
  const view = { state, entries } as unknown as JobView;
  const testimony = { sights } as unknown as Testimony;
  return judge({ testimony, view, calls, expected: EXPECTED, ...rest });
}

const GOOD = [attempt(1), text(HALF), text(EXPECTED.slice(30)), usage(9), completed];

describe('the judge', () => {
  test('finds nothing wrong with an answer on which client, job log and provider agree', () => {
    expect(verdict({ sights: [cut, whole] })).toEqual({
      status: 'completed',
      lost: false,
      doubled: false,
      torn: false,
      duplicateCalls: 0,
      unexplained: false,
      unpaid: false,
      usageDifference: 0,
      complaints: [],
    });
  });

  test.each<[string, Case, Partial<Verdict>]>([
    [
      'a job without a terminal event',
      { events: GOOD.slice(0, -1), state: 'running', sights: [cut] },
      { lost: true },
    ],
    ['two terminal events', { events: [...GOOD, completed] }, { doubled: true }],
    [
      'an answer that is stored twice',
      { events: [text(EXPECTED + EXPECTED), completed], sights: [], calls: [] },
      { doubled: true, torn: true },
    ],
    ['an answer without its last part', { events: [text(HALF), completed], sights: [] }, { torn: true }],
    ['a client that read a different text', { sights: [{ ...cut, text: 'The train' }] }, { torn: true }],
    ['half an answer that was marked complete', { sights: [{ ...whole, text: HALF }] }, { torn: true }],
    [
      'a cancelled job that was marked complete',
      { events: [text(EXPECTED), { type: 'cancelled', at: 1, by: 'client' }], state: 'cancelled' },
      { torn: true },
    ],
    ['a usage that matches no call of the provider', { calls: [aborted] }, { usageDifference: 12 }],
    ['a second call that no lost attempt explains', { calls: [aborted, call] }, { unexplained: true }],
    [
      'a second call of a job whose first attempt made no call',
      {
        events: [
          attempt(1),
          released,
          attempt(2),
          text(EXPECTED),
          { ...usage(9), attempt: 2 } as JobEvent,
          completed,
        ],
        calls: [aborted, call],
      },
      { duplicateCalls: 1, unexplained: true },
    ],
    [
      'a call of a lost attempt without an estimated usage',
      { events: [attempt(1), text(HALF), attempt(2), ...GOOD.slice(2)], calls: [aborted, call] },
      { unexplained: false, unpaid: true, usageDifference: 0 },
    ],
    ['a completed call without a usage', { calls: [call, call], events: GOOD }, { usageDifference: 12 }],
  ])('reports %s', (_what, evidence, wrong) => {
    expect(verdict(evidence)).toMatchObject(wrong);
  });

  test('expects no usage for a refused call, nor for a job that has not ended', () => {
    expect(verdict({ calls: [{ ...call, outcome: 'failed' }, call] }).unpaid).toBe(false);
    expect(verdict({ events: [attempt(1), text(HALF)], state: 'running', sights: [cut] }).unpaid).toBe(false);
  });

  test('counts the calls of lost attempts, but not retries after a reported failure', () => {
    const retry = (after: 'attempt_lost' | 'upstream_cut'): JobEvent => ({
      type: 'retry',
      at: 1,
      attempt: 1,
      call: 2,
      model: 'm',
      plan: 'ask',
      after,
    });
    const events = [attempt(1), retry('upstream_cut'), attempt(2), retry('attempt_lost'), ...GOOD.slice(1)];
    const calls = [aborted, aborted, call];
    expect(verdict({ events, calls })).toMatchObject({ duplicateCalls: 1, unexplained: false });
  });
});

describe('the judge after a lossy failover', () => {
  const failover: Failover = { isDeadLetter: false };
  const without = (sights: Sight[], isDeadLetter: boolean) =>
    judge({
      testimony: { sights } as unknown as Testimony,
      view: undefined,
      calls: [call],
      expected: EXPECTED,
      failover: { isDeadLetter },
    });

  test('accepts that attempts and usages may be lost', () => {
    const events = [attempt(1), text(EXPECTED), usage(9), completed];
    expect(verdict({ events, calls: [aborted, call], failover }).complaints).toEqual([]);
  });

  test('accepts that a client has read more than is stored, if it is part of the answer', () => {
    const failed: JobEvent[] = [attempt(1), { type: 'cancelled', at: 1, by: 'client' }];
    const of = (sight: string) =>
      verdict({ events: failed, state: 'cancelled', sights: [{ ...cut, text: sight }], failover }).torn;
    expect([HALF, 'The train'].map(of)).toEqual([false, true]);
  });

  test('reports an accepted job without a record as lost, unless its message is a dead letter', () => {
    expect(without([cut], false).lost).toBe(true);
    expect(without([cut], true)).toMatchObject({ lost: false, torn: false, complaints: [] });
  });
});
