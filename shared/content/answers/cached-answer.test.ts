import { describe, expect, test } from '@jest/globals';
import { type JobEvent } from '../../contracts/job-event.ts';
import { cachedAnswerCodec, toCachedAnswer } from './cached-answer.ts';

const usage = { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 };
const log: JobEvent[] = [
  { type: 'attempt', at: 1, attempt: 1, path: 'litellm' },
  { type: 'context', source: 'history', passages: 1, leftOut: 0, ms: 1 },
  { type: 'reasoning', at: 2, choice: 0, delta: 'Hm' },
  { type: 'reasoning', choice: 0, delta: '.' },
  { type: 'text', choice: 0, delta: 'A ' },
  { type: 'text', choice: 0, delta: 'switch.' },
  { type: 'citation', choice: 0, start: 0, end: 9, source: 'document-0', position: 1, name: 'a.txt' },
  { type: 'choice_end', choice: 0, reason: 'stop' },
  { type: 'usage', attempt: 1, call: 1, source: 'reported', usage, cost: 0.25 },
];

describe('a cached answer', () => {
  test('has the visible events, merged into as few as possible, and the usage', () => {
    const answer = toCachedAnswer(log);
    expect(answer).toEqual({
      version: 1,
      events: [
        { type: 'reasoning', choice: 0, delta: 'Hm.' },
        { type: 'text', choice: 0, delta: 'A switch.' },
        log[6],
        log[7],
      ],
      usage,
      cost: 0.25,
    });
    expect(answer && cachedAnswerCodec.decode(cachedAnswerCodec.encode(answer))).toEqual(answer);
  });

  test.each<[string, JobEvent[]]>([
    [
      'an answer that calls a tool',
      [{ type: 'tool_call', choice: 0, index: 0, id: 'c', name: 'look', arguments: '' }],
    ],
    ['a refusal', [{ type: 'refusal', choice: 0, delta: 'No.' }]],
    ['an answer that was cut at its token limit', [{ type: 'choice_end', choice: 0, reason: 'length' }]],
    [
      'an answer without one of its sources',
      [{ type: 'degraded', source: 'wiki', code: 'source_timeout', ms: 1 }],
    ],
    ['an answer that a second attempt finished', [{ type: 'attempt', at: 1, attempt: 2, path: 'litellm' }]],
    [
      'an answer that needed a second call',
      [{ type: 'retry', at: 1, attempt: 1, call: 2, model: 'n', plan: 'start', after: 'upstream_failed' }],
    ],
  ])('is not made from %s', (_what, events) => {
    expect(toCachedAnswer([...log, ...events])).toBeUndefined();
  });

  test('is not made without text or without usage', () => {
    expect(toCachedAnswer(log.filter(({ type }) => type !== 'text'))).toBeUndefined();
    expect(toCachedAnswer(log.filter(({ type }) => type !== 'usage'))).toBeUndefined();
  });
});
