import { describe, expect, test } from '@jest/globals';
import { readChunks } from './chunk-stream.ts';

const chunk = (content: string) => ({ choices: [{ index: 0, delta: { content }, finish_reason: null }] });
const event = (value: unknown) => `data: ${typeof value === 'string' ? value : JSON.stringify(value)}\n\n`;

function responseOf(...reads: string[]): Response {
  const bytes = reads.map((read) => new TextEncoder().encode(read));
  return new Response(ReadableStream.from(bytes), { headers: { 'content-type': 'text/event-stream' } });
}

async function textsOf(response: Response): Promise<string[][]> {
  const groups = await Array.fromAsync(readChunks(response));
  return groups.map((group) => group.map(({ choices }) => choices[0]?.delta.content ?? ''));
}

describe('a stream of chunks', () => {
  test('yields chunks in the groups in which they were read from the socket', async () => {
    const reads = [event(chunk('a')) + event(chunk('b')), event(chunk('c')) + event('[DONE]')];
    await expect(textsOf(responseOf(...reads))).resolves.toEqual([['a', 'b'], ['c']]);
  });

  test('may be split anywhere, even inside a character', async () => {
    const bytes = new TextEncoder().encode(event(chunk('Zürich 🛤')) + event('[DONE]'));
    const body = ReadableStream.from([...bytes].map((byte) => Uint8Array.of(byte)));
    await expect(textsOf(new Response(body))).resolves.toEqual([['Zürich 🛤']]);
  });

  test('ends at [DONE] even if more follows, and ignores comments', async () => {
    const read = `: ping\n\n${event(chunk('a'))}${event('[DONE]')}${event(chunk('late'))}`;
    await expect(textsOf(responseOf(read))).resolves.toEqual([['a']]);
  });

  test.each([
    ['an error event', event({ error: { message: 'boom' } }), { name: 'Error', status: undefined }],
    ['invalid JSON', event('{"choices": ['), { code: 'upstream_cut' }],
    ['an object that is not a chunk', event({ id: 'x' }), { code: 'upstream_cut' }],
    ['a number', event('7'), { code: 'upstream_cut' }],
  ])('throws at %s, after yielding the chunks before it', async (_what, bad, error) => {
    const chunks = readChunks(responseOf(event(chunk('a')), bad));
    await expect(chunks.next()).resolves.toMatchObject({ done: false });
    await expect(chunks.next()).rejects.toMatchObject(error);
  });
});
