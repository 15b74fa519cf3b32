import { createParser } from 'eventsource-parser';
import { setTimeout as delay } from 'node:timers/promises';

export interface ReaderOptions {
  /** The ingress to read from, asked for at each connection. */
  url: () => string;
  apiKey: string;
  responseId: string;
  /** After how many events in all the reader drops its connection, ascending. */
  drops: readonly number[];
}

/** What one reader saw of a response's stream, over all its connections. */
export interface ResponseReading {
  /** Of each event, in the order of its coming. */
  readonly numbers: number[];
  text: string;
  /** Of the last event. */
  end: string | undefined;
  /** How often the reader dropped its connection. */
  dropped: number;
  /** How often the connection broke, or ended with an error event, by itself. */
  broken: number;
}

interface StreamEvent {
  type: string;
  sequence_number: number;
  delta?: string;
}

const TERMINAL = new Set(['response.completed', 'response.incomplete', 'response.failed']);
const RECONNECT_MS = 100;
const PATIENCE_MS = 60_000;

/**
 * Reads a response to its end: connects, drops where it was told to, and goes on with `starting_after`. A connection that is
 * refused or breaks is made again.
 */
export function readResponse(
  options: ReaderOptions,
  onEvent: (reading: ResponseReading) => void = () => undefined,
): { reading: ResponseReading; over: Promise<void> } {
  const reading: ResponseReading = { numbers: [], text: '', end: undefined, dropped: 0, broken: 0 };
  return { reading, over: readOn(options, reading, onEvent) };
}

async function readOn(
  options: ReaderOptions,
  reading: ResponseReading,
  onEvent: (reading: ResponseReading) => void,
): Promise<void> {
  const drops = [...options.drops];
  const giveUpAt = Date.now() + PATIENCE_MS;
  while (!TERMINAL.has(reading.end ?? '')) {
    if (Date.now() > giveUpAt) throw new Error(`a reader came to no end: ${JSON.stringify(reading)}`);
    const connection = new AbortController();
    const how = await readConnection(options, reading.numbers.at(-1), connection.signal, (event) => {
      if (connection.signal.aborted) return; // of the same chunk as the last one that was seen
      take(reading, event);
      onEvent(reading);
      if (reading.numbers.length !== drops[0]) return;
      drops.shift();
      connection.abort();
    });
    if (connection.signal.aborted) reading.dropped += 1;
    else if (how === 'broken') {
      reading.broken += 1;
      await delay(RECONNECT_MS);
    }
  }
}

function take(reading: ResponseReading, { type, sequence_number, delta }: StreamEvent): void {
  if (type === 'error') return; // of this connection, not of the log
  reading.numbers.push(sequence_number);
  reading.end = type;
  if (type === 'response.output_text.delta') reading.text += delta ?? '';
}

async function readConnection(
  { url, apiKey, responseId }: ReaderOptions,
  last: number | undefined,
  signal: AbortSignal,
  onEvent: (event: StreamEvent) => void,
): Promise<'ended' | 'broken'> {
  const query = last === undefined ? '' : `&starting_after=${last}`;
  const types: string[] = [];
  const parser = createParser({
    onEvent: ({ data }) => {
      const event = JSON.parse(data) as StreamEvent;
      types.push(event.type);
      onEvent(event);
    },
  });
  try {
    const response = await fetch(`${url()}/v1/responses/${responseId}?stream=true${query}`, {
      headers: { authorization: `Bearer ${apiKey}` },
      signal,
    });
    if (!response.ok || !response.body) return 'broken';
    const decoder = new TextDecoder();
    for await (const bytes of response.body)
      parser.feed(decoder.decode(bytes as Uint8Array, { stream: true }));
  } catch {
    return 'broken';
  }
  return types.at(-1) === 'error' ? 'broken' : 'ended';
}
