import { expect, test } from '@jest/globals';
import { Ledger, type NewCall } from './ledger.ts';

const fresh = (job: string | null, conversation = 'a'): NewCall => ({
  job,
  conversation,
  kind: 'chat',
  model: 'm',
  stream: true,
  continuation: 'none',
  promptTokens: 3,
  startedAt: 1,
});

test('a call settles once, and the totals count it once', () => {
  const ledger = new Ledger(10);
  const call = ledger.open(fresh('j'));
  call.completionTokens = 5;
  ledger.settle(call, 'completed', { status: 200 });
  ledger.settle(call, 'aborted');
  expect(call).toMatchObject({ outcome: 'completed', status: 200 });
  expect(ledger.view(null).totals).toMatchObject({
    calls: 1,
    running: 0,
    completed: 1,
    aborted: 0,
    promptTokens: 3,
    completionTokens: 5,
  });
});

test('attempts are numbered per job, or per conversation if there is no job id', () => {
  const ledger = new Ledger(10);
  const numbers = [fresh('j'), fresh('k'), fresh('j', 'b'), fresh(null), fresh(null, 'b'), fresh(null)].map(
    (call) => ledger.open(call).attempt,
  );
  expect(numbers).toEqual([1, 1, 2, 1, 1, 2]);
  expect(Object.keys(ledger.view('j').jobs)).toEqual(['j']);
  expect(ledger.view(null).jobs['']).toHaveLength(3);
});

test('a full ledger drops the oldest calls, counts the drops, and keeps the totals', () => {
  const ledger = new Ledger(2);
  const calls = ['a', 'b', 'c'].map((job) => ledger.open(fresh(job)));
  for (const call of calls) ledger.settle(call, 'completed');
  expect(ledger.view(null)).toMatchObject({ dropped: 1, totals: { calls: 3, completed: 3 } });
  expect(Object.keys(ledger.view(null).jobs)).toEqual(['b', 'c']);
});

test('a call that began before a reset does not change the totals after it', () => {
  const ledger = new Ledger(2);
  const old = ledger.open(fresh('a'));
  ledger.reset();
  ledger.settle(old, 'completed');
  expect(ledger.view(null)).toMatchObject({ totals: { calls: 0, running: 0, completed: 0 }, jobs: {} });
  expect(ledger.open(fresh('a')).attempt).toBe(1);
});
