import { describe, expect, test } from '@jest/globals';
import { type ChatRequest } from '../../../shared/contracts/chat-request.ts';
import { type JobEvent } from '../../../shared/contracts/job-event.ts';
import { lostCallUsages } from './call-usage.ts';

const request = { model: 'm', messages: [{ role: 'user', content: 'Why?' }] } as ChatRequest;
const attempt: JobEvent = { type: 'attempt', at: 1, attempt: 1, path: 'litellm' };
const text: JobEvent = { type: 'text', choice: 0, delta: 'Because of the signal.' };
const usage: JobEvent = {
  type: 'usage',
  attempt: 1,
  call: 1,
  source: 'estimated',
  usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
};
const released: JobEvent = { type: 'released', at: 2, attempt: 1 };

describe('the usage of a lost call', () => {
  test.each<[string, JobEvent[]]>([
    ['a first attempt', []],
    ['an attempt whose usage is known', [attempt, text, usage]],
    ['an attempt that was released with its usage', [attempt, text, usage, released]],
    ['an attempt that was released before its first call', [attempt, released]],
  ])('is not estimated for %s', (_what, history) => {
    expect(lostCallUsages(history, request)).toEqual([]);
  });

  test('is estimated from the events that the call had sent', () => {
    const [lost] = lostCallUsages([attempt, text], request);
    expect(lost).toMatchObject({ type: 'usage', attempt: 1, call: 1, source: 'estimated' });
    expect(lost?.usage.completion_tokens).toBeGreaterThan(3);
  });

  test('is estimated for each lost attempt', () => {
    const second: JobEvent = { ...attempt, attempt: 2 };
    const retry = { type: 'retry', at: 3, attempt: 2, call: 1, model: 'm', plan: 'ask' } as const;
    const history = [attempt, text, second, { ...retry, after: 'attempt_lost' as const }, text];
    expect(lostCallUsages(history, request)).toMatchObject([{ attempt: 1 }, { attempt: 2 }]);
  });
});
