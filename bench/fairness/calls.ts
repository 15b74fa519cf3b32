import type { Target } from '../load/protocol.ts';

const MODEL = 'turnout-sim';

interface Asked {
  baseUrl: string;
  key: string;
  text: string;
}

/** Queues a background response without waiting for its answer. */
export async function queueJob({ baseUrl, key, text }: Asked): Promise<void> {
  const response = await post({ baseUrl, key, text }, false);
  if (!response.ok)
    throw new Error(`a job was refused with status ${response.status}: ${await response.text()}`);
  await response.arrayBuffer();
}

/** Streams a background response. Returns the milliseconds until the first token and until the end. */
export async function timeJob(asked: Asked): Promise<{ firstMs: number; totalMs: number }> {
  const began = performance.now();
  const response = await post(asked, true);
  if (!response.ok || !response.body) throw new Error(`a stream was refused with status ${response.status}`);
  let firstMs = Number.NaN;
  let text = '';
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (Number.isNaN(firstMs) && text.includes('response.output_text.delta'))
      firstMs = performance.now() - began;
  }
  if (!text.includes('response.completed')) throw new Error(`a stream did not complete: ${text.slice(-300)}`);
  return { firstMs, totalMs: performance.now() - began };
}

function post({ baseUrl, key, text }: Asked, stream: boolean): Promise<Response> {
  return fetch(`${baseUrl}/responses`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: MODEL, input: text, background: true, stream }),
  });
}

/** Runs `work` for all items, at most `atOnce` at the same time. */
export async function allOf<T>(
  items: readonly T[],
  atOnce: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const rest = items.values();
  const lane = async () => {
    for (const item of rest) await work(item);
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
}

/** The key of the target's user with this number. */
export function keyOf({ apiKeys }: Target, user: number): string {
  const key = apiKeys[user];
  if (key === undefined) throw new Error(`there is no user ${user}`);
  return key;
}
