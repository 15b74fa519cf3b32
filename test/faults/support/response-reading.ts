import { setTimeout as delay } from 'node:timers/promises';
import { createParser } from 'eventsource-parser';

/** What one client has of one response, over all of its connections. */
export interface ResponseReading {
  text: string;
  /** The `sequence_number` of every event, in the order of arrival; `error` events, which are not the response's, apart. */
  numbers: number[];
  /** The response has ended, and the client knows. */
  ended: boolean;
  /** How often it hung up, its connection broke or was refused, and its stream ended with an `error` event. */
  dropped: number;
  broken: number;
  errors: number;
  /** What should never be: other answers than a stream, streams that end without a word. */
  complaints: string[];
}

export interface ResponseReader {
  /** As it is now. */
  reading: Readonly<ResponseReading>;
  /** Resolves when the response has ended; rejects when it has not after a minute. */
  over: Promise<void>;
}

export interface ReaderOptions {
  /** Ingresses, without `/v1`; the next one is taken for each connection. */
  urls: readonly string[];
  apiKey: string;
  responseId: string;
  /** At or behind these numbers, which ascend, it hangs up. */
  dropAt: readonly number[];
  /** The first connection, where that is another one than `GET` of the stream. */
  begin?: (url: string, signal: AbortSignal) => Promise<Response>;
}

const TIMEOUT_MS = 60_000;
/** A client that is refused comes again, but not at once. */
const RETRY_MS = 50;
const TERMINAL = new Set(['response.completed', 'response.incomplete', 'response.failed']);

interface StreamEvent {
  type: string;
  sequence_number: number;
  delta?: string;
}

/** Reads a response as a client does that hangs up now and then and resumes behind the last event that it has seen. */
export function readResponse(options: ReaderOptions): ResponseReader {
  const reading: ResponseReading = {
    text: '',
    numbers: [],
    ended: false,
    dropped: 0,
    broken: 0,
    errors: 0,
    complaints: [],
  };
  return { reading, over: readToTheEnd(options, reading) };
}

async function readToTheEnd(options: ReaderOptions, reading: ResponseReading): Promise<void> {
  const { urls, begin, dropAt } = options;
  const drops = [...dropAt];
  const deadline = performance.now() + TIMEOUT_MS;
  for (let turn = 0; !reading.ended; turn += 1) {
    if (performance.now() > deadline) throw new Error(`has not ended: ${JSON.stringify(reading)}`);
    const url = urls[turn % urls.length] ?? '';
    const open =
      begin && reading.numbers.length === 0
        ? (signal: AbortSignal) => begin(url, signal)
        : (signal: AbortSignal) =>
            openResponseStream(url, { ...options, after: reading.numbers.at(-1) }, signal);
    if ((await readOnce(open, reading, drops)) === 'broken') await delay(RETRY_MS);
  }
}

/** `GET /v1/responses/{id}?stream=true`, from the beginning or behind `after`. */
export function openResponseStream(
  url: string,
  { apiKey, responseId, after }: { apiKey: string; responseId: string; after?: number | undefined },
  signal?: AbortSignal,
): Promise<Response> {
  const cursor = after === undefined ? '' : `&starting_after=${after}`;
  return fetch(`${url}/v1/responses/${responseId}?stream=true${cursor}`, {
    headers: { authorization: `Bearer ${apiKey}` },
    ...(signal && { signal }),
  });
}

async function readOnce(
  open: (signal: AbortSignal) => Promise<Response>,
  reading: ResponseReading,
  drops: number[],
): Promise<'left' | 'broken'> {
  const connection = new AbortController();
  const seen = { last: 'more' as Taken };
  const parser = createParser({
    onEvent: ({ data }) => {
      // What still comes in the same packet is lost with the connection.
      if (!connection.signal.aborted) seen.last = take(JSON.parse(data) as StreamEvent, reading, drops);
      if (seen.last === 'enough') connection.abort();
    },
  });
  try {
    const response = await open(connection.signal);
    if (response.status !== 200) return await complain(reading, response);
    const decoder = new TextDecoder();
    for await (const bytes of response.body ?? [])
      parser.feed(decoder.decode(bytes as Uint8Array, { stream: true }));
    if (seen.last === 'more') reading.complaints.push('a stream ended without a word');
  } catch {
    if (!connection.signal.aborted) reading.broken += 1;
  }
  return connection.signal.aborted ? 'left' : 'broken';
}

type Taken = 'more' | 'enough' | 'error';

function take(
  { type, sequence_number: number, delta }: StreamEvent,
  reading: ResponseReading,
  drops: number[],
): Taken {
  if (type === 'error') {
    reading.errors += 1;
    return 'error';
  }
  reading.numbers.push(number);
  if (type === 'response.output_text.delta') reading.text += delta ?? '';
  reading.ended = TERMINAL.has(type);
  if (reading.ended) return 'enough';
  if (number < (drops[0] ?? Infinity)) return 'more';
  while ((drops[0] ?? Infinity) <= number) drops.shift();
  reading.dropped += 1;
  return 'enough';
}

/** A 503 is what a server says that stops, or whose stores are away: it is asked again. */
async function complain(reading: ResponseReading, response: Response): Promise<'broken'> {
  const text = await response.text();
  if (response.status === 503) reading.broken += 1;
  else reading.complaints.push(`${response.status}: ${text}`);
  return 'broken';
}
