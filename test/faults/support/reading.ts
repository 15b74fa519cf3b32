import { createParser } from 'eventsource-parser';
import { until } from '../../../stack/until.ts';

/** What one client sees of one answer, chunk by chunk. Times are ms since the epoch. */
export interface Reading {
  /** The response's status and headers. Rejects if the connection broke before they arrived. */
  readonly opened: Promise<Response>;
  /** Resolves when nothing more will arrive, for any reason. Never rejects. */
  readonly over: Promise<void>;
  text(): string;
  reasoning(): string;
  /** Arrival time of each piece of text. */
  arrivals(): readonly number[];
  /** The code of the error that the answer ended with. */
  error(): string | undefined;
  /** Whether the end marker was received. */
  done(): boolean;
  /** Whether the connection broke or this client hung up. */
  broken(): boolean;
  /** Waits for this many pieces of text. Throws if the answer ends earlier, or after 20 s. */
  pieces(count: number): Promise<void>;
  /** Waits for a piece that arrives after `time`, and resolves with its arrival time. Throws as `pieces` does. */
  pieceAfter(time: number): Promise<number>;
  hangUp(): void;
}

export interface Question {
  /** The ingress's URL, without `/v1`. */
  url: string;
  apiKey: string;
  body: Record<string, unknown>;
  headers?: Readonly<Record<string, string>>;
}

const WAIT_MS = 20_000;

/** Asks for an answer, streamed unless the body says otherwise. Retries nothing, so that the test sees everything that happens. */
export function readStream({ url, apiKey, body, headers = {} }: Question): Reading {
  const seen = { text: '', reasoning: '', arrivals: [] as number[], done: false, broken: false, over: false };
  let error: string | undefined;
  const connection = new AbortController();
  const parser = createParser({
    onEvent: ({ data }) => {
      if (data === '[DONE]') seen.done = true;
      else take(JSON.parse(data) as Chunk);
    },
  });

  function take(chunk: Chunk): void {
    error ??= chunk.error?.code;
    for (const { delta, message } of chunk.choices ?? []) {
      const part = delta ?? message;
      seen.reasoning += part?.reasoning_content ?? '';
      if (!part?.content) continue;
      seen.text += part.content;
      seen.arrivals.push(Date.now());
    }
  }

  const opened = fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${apiKey}`, ...headers },
    body: JSON.stringify({ stream: true, ...body }),
    signal: connection.signal,
  });
  const over = opened
    .then((response) =>
      readBody(response, { feed: (text) => parser.feed(text), take, whole: () => (seen.done = true) }),
    )
    .catch(() => {
      seen.broken = true;
    })
    .then(() => {
      seen.over = true;
    });

  async function wait(condition: () => boolean, what: string): Promise<void> {
    await until(() => condition() || seen.over, { timeoutMs: WAIT_MS, everyMs: 5 });
    if (!condition()) throw new Error(`waited for ${what}: ${JSON.stringify({ ...seen, error })}`);
  }

  return {
    opened,
    over,
    text: () => seen.text,
    reasoning: () => seen.reasoning,
    arrivals: () => seen.arrivals,
    error: () => error,
    done: () => seen.done,
    broken: () => seen.broken,
    pieces: (count) => wait(() => seen.arrivals.length >= count, `${count} pieces`),
    pieceAfter: async (time) => {
      const found = () => seen.arrivals.find((at) => at > time);
      await wait(() => found() !== undefined, 'another piece');
      return found() ?? Number.NaN;
    },
    hangUp: () => connection.abort(),
  };
}

interface Part {
  content?: string | null;
  reasoning_content?: string | null;
}

interface Chunk {
  error?: { code: string };
  choices?: { delta?: Part; message?: Part }[];
}

interface Sink {
  feed: (text: string) => void;
  take: (chunk: Chunk) => void;
  whole: () => void;
}

/** An early failure is a JSON body with an error status, a whole answer a JSON body with 200; everything else is an event stream. */
async function readBody(response: Response, { feed, take, whole }: Sink): Promise<void> {
  if (response.headers.get('content-type')?.startsWith('application/json')) {
    take((await response.json()) as Chunk);
    if (response.ok) whole();
    return;
  }
  const decoder = new TextDecoder();
  for await (const bytes of response.body ?? []) feed(decoder.decode(bytes as Uint8Array, { stream: true }));
}
