import { afterAll, describe, expect, test } from '@jest/globals';
import { type BodyPool, createBodyPool } from './body-pool.ts';
import { type RunBodyTask, runHere } from './body-tasks.ts';
import { createBodyWork } from './body-work.ts';

const pool: BodyPool = createBodyPool();
afterAll(() => pool.close());

const chat = (text: string) => ({ model: 'm', messages: [{ role: 'user' as const, content: text }] });
const json = (value: unknown) => Buffer.from(JSON.stringify(value));
const LONG = '漢字 "quoted" \n'.repeat(60_000);
/** Small in bytes, but with more values than the main thread handles. */
const MANY = { ...chat('x'), stop: Array.from({ length: 10_001 }, () => 1) };

/** Body work that records which tasks ran outside the main thread. */
function watched() {
  const left: string[] = [];
  const run: RunBodyTask = (name, input) => (left.push(name), pool.of('ada')(name, input));
  return { work: createBodyWork(run), left };
}

describe('work on a large body does not block the event loop', () => {
  test('a large body is parsed and validated in a thread, with the same result', async () => {
    const { work, left } = watched();
    expect(await work.read(json(chat(LONG)), 'chat')).toEqual(chat(LONG));
    expect(await work.read(json({ model: 'm', input: LONG }), 'response')).toEqual({
      model: 'm',
      input: LONG,
    });
    expect(left).toEqual(['read', 'read']);
  });

  test('a small body with many values is parsed in a thread', async () => {
    const { work, left } = watched();
    await expect(work.read(json(MANY), 'chat')).rejects.toMatchObject({ param: 'stop' });
    expect(left).toEqual(['read']);
  });

  test('an error from the thread keeps its code, message and parameter', async () => {
    const { work } = watched();
    const wrong = json({ ...chat(LONG), n: 0 });
    const here = await runHere('read', { bytes: wrong, schema: 'chat' }).catch((error: unknown) => error);
    const there = await work.read(wrong, 'chat').catch((error: unknown) => error);
    expect(there).toEqual(here);
    expect(there).toMatchObject({ code: 'invalid_value', param: 'n', status: 400 });
  });

  test('a large body is serialised, hashed, fingerprinted and decoded in a thread, with the same result', async () => {
    const { work, left } = watched();
    const document = { data: Buffer.from(LONG).toString('base64'), filename: 'a.txt', param: 'p' };
    const request = chat(LONG);
    const here = createBodyWork();
    expect(Buffer.from(await work.serialise(request)).toString()).toBe(JSON.stringify(request));
    expect(await work.hash(request)).toBe(await here.hash(request));
    expect(await work.fingerprint(request)).toBe(await here.fingerprint(request));
    expect(await work.decode(document)).toEqual(await here.decode(document));
    expect(left).toEqual(['serialise', 'hash', 'fingerprint', 'decode']);
  });

  test('the stored original of a large request is read in a thread, with the same result', async () => {
    const { work, left } = watched();
    const original = JSON.stringify({
      version: 1,
      kind: 'response',
      request: { model: 'm' },
      context: [],
      input: [{ type: 'message', id: 'msg_1', role: 'user', content: [{ type: 'input_text', text: LONG }] }],
    });
    expect(await work.readOriginal(original)).toEqual(await createBodyWork().readOriginal(original));
    expect(await work.readOriginal(JSON.stringify({ kind: 'chat.completion', model: LONG }))).toBeUndefined();
    expect(left).toEqual(['readOriginal', 'readOriginal']);
  });

  test('a small body is handled in the main thread', async () => {
    const { work, left } = watched();
    await work.read(json(chat('Hi')), 'chat');
    await work.serialise(chat('Hi'));
    expect(left).toEqual([]);
  });
});

test('a user does not wait behind another user’s many large bodies', async () => {
  const own = createBodyPool();
  let ended = 0;
  const read = async (user: string, text: string) => {
    await own.of(user)('read', { bytes: json(chat(text)), schema: 'chat' });
    ended += 1;
  };
  await Promise.all([read('greedy', LONG), read('modest', LONG)]); // both threads run
  ended = 0;
  const greedy = Array.from({ length: 16 }, () => read('greedy', LONG.repeat(4)));
  await read('modest', LONG);
  expect(ended).toBeLessThan(8); // first in, first out would make it the last one
  await Promise.all(greedy);
  await own.close();
}, 60_000);

test('one user cannot fill the queue of large bodies', async () => {
  const own = createBodyPool();
  const bytes = json(chat(LONG));
  const greedy = Array.from({ length: 40 }, () => own.of('greedy')('read', { bytes, schema: 'chat' }));
  const modest = own.of('modest')('read', { bytes, schema: 'chat' });
  const results = await Promise.allSettled(greedy);
  expect(results.filter(({ status }) => status === 'rejected')).toHaveLength(23);
  for (const result of results)
    if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'overloaded' });
  expect(await modest).toEqual(chat(LONG));
  await own.close();
}, 60_000);
