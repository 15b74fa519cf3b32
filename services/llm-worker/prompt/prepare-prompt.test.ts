import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { type ChatRequest } from '../../../shared/contracts/chat-request.ts';
import { type BlobRef } from '../../../shared/platform/blobs/blob-ref.ts';
import { type ThreadPool } from '../../../shared/platform/util/thread-pool.ts';
import {
  createPromptPreparer,
  createPromptThreads,
  type PromptPreparer,
  type PromptTasks,
} from './prepare-prompt.ts';

/** Threads load the tokenizer, which is slow on a busy machine. */
jest.setTimeout(60_000);

let pool: ThreadPool<PromptTasks>;
let preparer: PromptPreparer;
const stored = new Map<string, Buffer>();

beforeAll(() => {
  pool = createPromptThreads(2);
  const blobs = { get: ({ name }: BlobRef) => Promise.resolve(stored.get(name) ?? Buffer.alloc(0)) };
  preparer = createPromptPreparer({ blobs, pool });
});
afterAll(async () => {
  await preparer.close();
  await pool.close();
});

function byClaimCheck(request: ChatRequest) {
  const bytes = Buffer.from(JSON.stringify(request));
  const name = `request-${stored.size}`;
  stored.set(name, bytes);
  return { kind: 'blob' as const, name, sha256: '0'.repeat(64), bytes: bytes.length };
}

const inline = (request: ChatRequest) => ({ kind: 'inline' as const, request });
const messages = (count: number, content: string): ChatRequest['messages'] =>
  Array.from({ length: count }, () => ({ role: 'user' as const, content }));
const CJK = '漢字仮名交じり文章今日は天気'.repeat(1_500);
const options = (over: { isolated?: boolean; signal?: AbortSignal; contextWindow?: number } = {}) => ({
  parts: { passages: [] },
  window: { contextWindow: over.contextWindow ?? 8_000 },
  isolated: over.isolated ?? false,
  signal: over.signal ?? new AbortController().signal,
});

/** Counts the turns of the event loop while the work runs. */
async function turnsDuring(work: Promise<unknown>): Promise<number> {
  let turns = 0;
  let over = false;
  const count = () => {
    turns += 1;
    if (!over) setImmediate(count);
  };
  setImmediate(count);
  await work;
  over = true;
  return turns;
}

describe('a large request', () => {
  test.each<[string, ChatRequest]>([
    ['of CJK text', { model: 'm', messages: messages(20, CJK) }],
    ['of text without spaces', { model: 'm', messages: messages(20, 'x7q'.repeat(20_000)) }],
    ['of many small messages', { model: 'm', messages: messages(9_000, 'A short message of few words.') }],
    ['of one huge message', { model: 'm', messages: messages(1, CJK.repeat(20)) }],
    [
      'with huge schemas of tools',
      {
        model: 'm',
        messages: messages(1, 'Hi'),
        tools: [
          {
            type: 'function',
            function: { name: 'f', parameters: { enum: messages(2_000, CJK.slice(0, 900)) } },
          },
        ],
      },
    ],
  ])('%s that does not fit is rejected without blocking the event loop', async (_what, request) => {
    const refused = preparer.prepare({ user: 'u', request: byClaimCheck(request) }, options());
    const seen = turnsDuring(refused.catch(() => undefined));
    await expect(refused).rejects.toMatchObject({ code: 'context_length_exceeded', status: 400 });
    expect(await seen).toBeGreaterThan(20);
  });

  test('that fits goes to the model unchanged', async () => {
    const image = {
      type: 'image_url' as const,
      image_url: { url: `data:image/png;base64,${'A'.repeat(2_000_000)}` },
    };
    const request: ChatRequest = {
      model: 'm',
      messages: [{ role: 'user', content: [image] }],
      temperature: 0,
    };
    const { body } = await preparer.prepare({ user: 'u', request: byClaimCheck(request) }, options());
    expect(body).toEqual(request);
  });

  test('stops being prepared when its job is cancelled', async () => {
    const cancel = new AbortController();
    const request = byClaimCheck({ model: 'm', messages: messages(20, CJK) });
    const { signal } = cancel;
    const preparing = preparer.prepare({ user: 'u', request }, options({ signal }));
    cancel.abort(new Error('cancelled'));
    await expect(preparing).rejects.toThrow('cancelled');
  });
});

test('a small request is prepared on the event loop', async () => {
  const request: ChatRequest = { model: 'm', messages: messages(1, 'Hi') };
  const { body } = await preparer.prepare({ user: 'u', request: inline(request) }, options());
  expect(body).toBe(request);
});

test('a small request that may have crashed a worker is prepared in a thread', async () => {
  const request: ChatRequest = { model: 'm', messages: messages(1, 'Hi') };
  const { body } = await preparer.prepare(
    { user: 'u', request: inline(request) },
    options({ isolated: true }),
  );
  expect(body).toEqual(request);
  expect(body).not.toBe(request);
});
