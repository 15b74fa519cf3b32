import { setTimeout as delay } from 'node:timers/promises';
import { createParser } from 'eventsource-parser';

/** What one client has received of one response, over all its connections. */
export interface ResponseReading {
  text: string;
  /** The `sequence_number` of every event, in order of arrival, except `error` events, which are not part of the response. */
  numbers: number[];
  /** Whether the client has received the response's last event. */
  ended: boolean;
  /** How often the client hung up; its connection broke or was refused; its stream ended with an `error` event. */
  dropped: number;
  broken: number;
  errors: number;
  /** What must never happen: answers that are not a stream, streams that end without a final event. */
  complaints: string[];
}

export interface ResponseReader {
  /** The current state. */
  reading: Readonly<ResponseReading>;
  /** Resolves when the response has ended. Rejects if it has not ended after a minute. */
  over: Promise<void>;
}

export interface ReaderOptions {
  /** URLs of the ingresses, without `/v1`. Each connection takes the next one. */
  urls: readonly string[];
  apiKey: string;
  responseId: string;
  /** Ascending event numbers. The client hangs up at the first event at or after each. */
  dropAt: readonly number[];
  /** Opens the first connection, if that is not a `GET` of the stream. */
  begin?: (url: string, signal: AbortSignal) => Promise<Response>;
}

const TIMEOUT_MS = 60_000;
/** Wait before a client that was refused connects again. */
const RETRY_MS = 50;
const TERMINAL = new Set(['response.completed', 'response.incomplete', 'response.failed']);

interface StreamEvent {
  type: string;
  sequence_number: number;
  delta?: string;
}

/** Reads a response like a client that hangs up now and then and resumes after the last event it has seen. */
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

/** `GET /v1/responses/{id}?stream=true`, from the beginning or after event `after`. */
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
      // Events that arrive in the same packet after the hang-up are lost with the connection.
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
    if (seen.last === 'more') reading.complaints.push('a stream ended without a final event');
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

/** A 503 comes from a server that is stopping or cannot reach its stores: the client tries again. */
async function complain(reading: ResponseReading, response: Response): Promise<'broken'> {
  const text = await response.text();
  if (response.status === 503) reading.broken += 1;
  else reading.complaints.push(`${response.status}: ${text}`);
  return 'broken';
}
