import { expect, test } from '@jest/globals';
import { type JobEvent } from '../../shared/contracts/job-event.ts';
import { timeline } from './timeline.ts';

const usage = { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 };
const events: JobEvent[] = [
  { type: 'accepted', at: 0, model: 'm' },
  { type: 'routed', at: 1, path: 'litellm', reason: 'percentage', epoch: 0, step: 0, promptTokens: 4 },
  {
    type: 'assistant',
    name: 'law',
    version: 'c0ffee',
    model: 'm',
    reason: 'similarity',
    scores: [
      { name: 'law', score: 0.5 },
      { name: 'tax', score: 0.1 },
    ],
  },
  { type: 'attempt', at: 2, attempt: 1, path: 'litellm' },
  { type: 'reasoning', at: 3, choice: 0, delta: 'secret' },
  { type: 'text', choice: 0, delta: 'se' },
  { type: 'text', choice: 0, delta: 'cret' },
  { type: 'retry', at: 4, attempt: 1, call: 2, model: 'm', plan: 'ask', after: 'upstream_cut' },
  { type: 'text', choice: 0, delta: 's' },
  { type: 'choice_end', choice: 0, reason: 'stop' },
  { type: 'usage', attempt: 1, call: 2, source: 'reported', usage, cost: 0.01 + 1e-12 },
  { type: 'completed', at: 9 },
];

test("a timeline lists a job's events in order, without the prompt or the answer", () => {
  const happened = timeline(events);
  expect(happened.map(({ what }) => what)).toEqual([
    'accepted for m',
    'routed: litellm (percentage, epoch 0)',
    'assistant law c0ffee (similarity, law 0.500, tax 0.100), model m',
    'attempt 1 started by a worker',
    'answer: 6 characters of reasoning, 6 characters of text',
    'attempt 1, call 2 of m (ask) after upstream_cut',
    'answer: 1 characters of text, ended (stop)',
    'usage of attempt 1, call 2: 3 + 2 tokens, reported, $0.01',
    'completed',
  ]);
  expect(happened[4]?.at).toBe(new Date(3).toISOString());
  expect(JSON.stringify(happened)).not.toContain('secret');
});

test('the timeline of a job that still streams ends with its latest event', () => {
  expect(timeline(events.slice(0, 6)).at(-1)?.what).toBe(
    'answer: 6 characters of reasoning, 2 characters of text',
  );
  expect(timeline([])).toEqual([]);
});
