import { expect, test } from '@jest/globals';
import { type Outcome } from '../../shared/contracts/outcome.ts';
import { readOutcome } from './read-event.ts';

const good: Outcome = {
  version: 1,
  id: 'e1',
  jobId: `job_${'a'.repeat(32)}`,
  userHash: 'abc',
  model: 'gpt',
  status: 'completed',
  attempts: 1,
  at: 1_000,
  ms: { total: 12 },
  usage: [],
};

test('an outcome is read', () =>
  expect(readOutcome({ value: JSON.stringify(good) })).toEqual({ outcome: good }));

test.each([
  ['no value', undefined, 'the message has no value'],
  ['invalid JSON', '{', 'the message: '],
  ['another version', JSON.stringify({ ...good, version: 2 }), 'version: '],
  ['two errors, both named', JSON.stringify({ ...good, id: '', status: 'lost' }), 'id: '],
  [
    'a job duration over the limit',
    JSON.stringify({ ...good, ms: { total: 1e300 } }),
    'ms.total: 1e+300 is over 1000000000',
  ],
  [
    'a usage figure over the limit',
    JSON.stringify({
      ...good,
      usage: [
        {
          id: 'call',
          source: 'reported',
          tokens: { prompt_tokens: 1, completion_tokens: 2e9, total_tokens: 1 },
          cost: 2_000,
        },
      ],
    }),
    'usage.0.tokens.completion_tokens: 2000000000 is over 1000000000; usage.0.cost: 2000 is over 1000',
  ],
])('%s gives a reason', (_name, value, reason) => {
  expect(readOutcome({ value })).toEqual({ reason: expect.stringContaining(reason) as unknown });
});
