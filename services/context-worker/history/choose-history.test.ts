import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type ChatMessage } from '../../../shared/contracts/chat-request.ts';
import { measureRequest } from '../../../shared/content/models/measure-request.ts';
import { chooseHistory } from './choose-history.ts';

const user = (content: string): ChatMessage => ({ role: 'user', content });
const assistant = (content: string): ChatMessage => ({ role: 'assistant', content });
const filler = 'And then we spoke about the weather of that week, which was mild. '.repeat(6);

/** Turns of about 100 tokens; the third contains the answer to the final question. */
function thread(turns: number): ChatMessage[] {
  return Array.from({ length: turns }, (_, at) => [
    user(at === 2 ? 'My locker is number 417 in Ostheim.' : `Note ${at}. ${filler}`),
    assistant(`Noted ${at}.`),
  ]).flat();
}

const question = 'Which locker is mine?';
const choose = (messages: ChatMessage[], budgetTokens: number) =>
  chooseHistory({ messages: [...messages, user(question)], question, budgetTokens });

describe('chooseHistory', () => {
  test('the whole history is kept if it fits', () => {
    expect(choose(thread(3), 10_000)).toEqual({ keep: [0, 1, 2, 3, 4, 5, 6], leftOut: 0 });
  });

  test('of a long conversation the newest turns are kept, and the old turn that the question is about', () => {
    const { keep, leftOut } = choose(thread(30), 1_000);
    expect(keep).toEqual(expect.arrayContaining([4, 5, 58, 59, 60]));
    expect(keep.length + leftOut).toBe(61);
    expect(leftOut).toBeGreaterThan(30);
    expect(keep.every((at) => at === 60 || keep.includes(at % 2 ? at - 1 : at + 1))).toBe(true);
  });

  test('budget that no older turn uses goes to newer turns', () => {
    const messages = [...thread(2), ...thread(2), ...thread(2)].filter((_, at) => at !== 4 && at !== 5);
    const { keep } = chooseHistory({
      messages: [...messages, user('?')],
      question: 'zebra',
      budgetTokens: 450,
    });
    expect(keep.length).toBeGreaterThan(5);
    expect(keep).toEqual(
      Array.from({ length: keep.length }, (_, at) => messages.length + 1 - keep.length + at),
    );
  });

  test('system and developer messages are kept at any position', () => {
    const messages: ChatMessage[] = [{ role: 'system', content: 'Be brief.' }, ...thread(20)];
    messages.splice(9, 0, { role: 'developer', content: 'Be kind.' });
    expect(choose(messages, 300).keep).toEqual(expect.arrayContaining([0, 9]));
  });

  test('a tool call is never separated from its result', () => {
    const call: ChatMessage = {
      role: 'assistant',
      content: null,
      tool_calls: [{ id: 'c1', type: 'function', function: { name: 'locker', arguments: '{}' } }],
    };
    const result: ChatMessage = { role: 'tool', tool_call_id: 'c1', content: 'The locker has number 417.' };
    const messages = [user('Look it up.'), call, result, assistant('Done.'), ...thread(20)];
    const { keep } = choose(messages, 600);
    expect(keep.slice(0, 4)).toEqual([0, 1, 2, 3]);
  });

  test('the last turn is kept even if it exceeds the budget', () => {
    const messages = [...thread(3), user(filler.repeat(40))];
    expect(chooseHistory({ messages, question: 'x', budgetTokens: 50 })).toEqual({ keep: [6], leftOut: 6 });
  });

  test('the result stays within the budget for any conversation', () => {
    const message = fc.record({
      role: fc.constantFrom('user', 'assistant'),
      content: fc.lorem({ maxCount: 60 }),
    });
    fc.assert(
      fc.property(
        fc.array(message, { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 1, max: 2_000 }),
        (raw, budgetTokens) => {
          const messages = raw as ChatMessage[];
          const { keep, leftOut } = chooseHistory({ messages, question: 'lorem ipsum', budgetTokens });
          const kept = measureRequest({ messages: keep.flatMap((at) => messages[at] ?? []) }).exact();
          const lastTurn = messages.slice(
            Math.max(
              0,
              messages.findLastIndex(({ role }) => role === 'user'),
            ),
          );
          expect(kept <= Math.max(budgetTokens, measureRequest({ messages: lastTurn }).exact())).toBe(true);
          expect(keep.length + leftOut).toBe(messages.length);
          expect(keep).toContain(messages.length - 1);
        },
      ),
      { numRuns: 100 },
    );
  });
});
