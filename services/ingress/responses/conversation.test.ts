import { describe, expect, test } from '@jest/globals';
import { type JobEvent } from '../../../shared/contracts/job-event.ts';
import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';
import { createConversations } from './conversation.ts';
import { type StoredItem } from '../response-schema/input-items.ts';
import { type StoredResponse } from './stored-responses.ts';

const digitsOf = (n: number) => n.toString(16).padStart(32, '0');
const items = (n: number, text: string): StoredItem[] => [
  { id: `msg_${digitsOf(n)}_i0`, type: 'message', role: 'user', content: [{ type: 'input_text', text }] },
  {
    id: `msg_${digitsOf(n)}_i1`,
    type: 'message',
    role: 'user',
    content: [{ type: 'input_text', text: 'x' }],
  },
];
const LOG: JobEvent[] = [
  { type: 'accepted', at: 1, model: 'm' },
  { type: 'completed', at: 2 },
];

/** A store in which every response exists, by default with over 1,000 characters of input. */
function world(maxBytes: number, events = LOG, inputOf = (n: number) => items(n, 'x'.repeat(1_000))) {
  let reads = 0;
  const find = (id: string): Promise<StoredResponse> => {
    reads += 1;
    const n = Number.parseInt(id.slice('resp_'.length), 16);
    if (Number.isNaN(n)) return Promise.reject(new TurnoutError('not_found'));
    return Promise.resolve({
      jobId: `job_${digitsOf(n)}`,
      head: { id, createdAt: 0, request: { model: 'm' } },
      events,
      deadlineAt: undefined,
      open: false,
      context: [],
      input: inputOf(n),
    });
  };
  return { resolve: createConversations(find, maxBytes), reads: () => reads };
}

const reference = (n: number, at = 0) => ({
  type: 'item_reference' as const,
  id: `msg_${digitsOf(n)}_i${at}`,
});

describe('a small request cannot refer to more than a large one may send', () => {
  test.each([
    ['through one item, many times', { input: Array.from({ length: 20 }, () => reference(1)) }],
    ['through many items', { input: Array.from({ length: 20 }, (_, n) => reference(n)) }],
    ['through the previous conversation', { previous_response_id: `resp_${digitsOf(1)}`, input: 'Hi' }, 500],
  ])('%s', async (_name, request, maxBytes = 10_000) => {
    await expect(world(maxBytes).resolve('user', request)).rejects.toMatchObject({ code: 'body_too_large' });
  });

  test('input that the request itself sends is not counted again', async () => {
    const input = [{ type: 'message' as const, role: 'user' as const, content: 'x'.repeat(5_000) }];
    await expect(world(1_000).resolve('user', { input })).resolves.toEqual({ context: [], input });
  });

  test('the limit also bounds memory: it is checked after each response that is read', async () => {
    const { resolve, reads } = world(10_000);
    const responses = Array.from({ length: 100 }, (_, n) => n);
    const input = [...responses.map((n) => reference(n, 1)), ...responses.map((n) => reference(n, 0))];
    await expect(resolve('user', { input })).rejects.toMatchObject({ code: 'body_too_large' });
    expect(reads()).toBeLessThan(20);
  });

  test('a request cannot refer to items of thousands of responses', async () => {
    const { resolve, reads } = world(1e9);
    const input = Array.from({ length: 1_000 }, (_, n) => reference(n));
    await expect(resolve('user', { input })).rejects.toMatchObject({
      code: 'invalid_value',
      param: 'input[256].id',
    });
    expect(reads()).toBe(256);
  });
});

describe('a request cannot refer to more values than a request may contain', () => {
  const parts = Array.from({ length: 60_000 }, () => ({ type: 'input_text' as const, text: '' }));
  const withParts = (n: number, content = parts): StoredItem[] => [
    { id: `msg_${digitsOf(n)}_i0`, type: 'message', role: 'user', content },
  ];
  const refused = { code: 'body_too_large' };

  test('through the previous conversation', async () => {
    const { resolve } = world(1e9, LOG, withParts);
    const request = { previous_response_id: `resp_${digitsOf(1)}`, input: 'Hi' };
    await expect(resolve('user', request)).rejects.toMatchObject(refused);
  });

  test('through a few items', async () => {
    const { resolve } = world(1e9, LOG, (n) => withParts(n, parts.slice(0, 20_000)));
    await expect(resolve('user', { input: [reference(1), reference(2)] })).resolves.toBeDefined();
    const input = [reference(1), reference(2), reference(3)];
    await expect(resolve('user', { input })).rejects.toMatchObject(refused);
  });
});

test('a response is read once even if many of its items are referenced', async () => {
  const { resolve, reads } = world(1e9);
  await resolve('user', { input: Array.from({ length: 50 }, () => reference(1)) });
  expect(reads()).toBe(1);
});

test.each(['msg_', 'msg_zz_0', `xx_${digitsOf(1)}_0`, `msg_${digitsOf(1)}_7`])(
  'the unknown id %s is rejected',
  async (id) => {
    const { resolve } = world(1e9);
    await expect(resolve('user', { input: [{ type: 'item_reference', id }] })).rejects.toMatchObject({
      code: 'invalid_value',
      param: 'input[0].id',
    });
  },
);

test('a tool call that was cut off before its name arrived is not part of the conversation', async () => {
  const events: JobEvent[] = [
    { type: 'text', choice: 0, delta: 'I look it up.' },
    { type: 'tool_call', choice: 0, index: 0, id: 'call_1', arguments: '' },
    { type: 'choice_end', choice: 0, reason: 'length' },
    { type: 'completed', at: 2 },
  ];
  const { resolve } = world(1e9, events);
  const { context } = await resolve('user', { previous_response_id: `resp_${digitsOf(1)}`, input: 'Go on' });
  expect(context.map(({ type }) => type)).toEqual(['message', 'message', 'message']);
});
