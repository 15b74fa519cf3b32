import { get, type IncomingMessage } from 'node:http';
import { createParser } from 'eventsource-parser';
import type { ReaderStream } from './protocol.ts';

export interface Reader {
  /** True when the stream is open: its first data has arrived or, for a paused reader, its headers. */
  opened: Promise<boolean>;
  over: Promise<'right' | 'wrong' | 'dropped'>;
  close(): void;
}

interface ReaderOptions {
  baseUrl: string;
  stream: ReaderStream;
  paused: boolean;
  /** Called for each piece of text except the first, with the milliseconds since the previous one. */
  onGap: (milliseconds: number) => void;
}

interface StreamEvent {
  type: string;
  delta?: string;
}

const TERMINAL = 'response.completed';
const DELTA = 'response.output_text.delta';

/** Opens one connection to one stream, without retries. A broken stream counts as dropped. */
export function openReader({ baseUrl, stream, paused, onGap }: ReaderOptions): Reader {
  const opened = Promise.withResolvers<boolean>();
  const over = Promise.withResolvers<'right' | 'wrong' | 'dropped'>();
  const follow = createFollowing({ expected: stream.expected, onGap, onEnd: over.resolve });
  const request = get(`${baseUrl}/responses/${stream.responseId}?stream=true`, {
    agent: false,
    headers: { authorization: `Bearer ${stream.apiKey}` },
  });
  request.once('response', (response: IncomingMessage) => {
    if (response.statusCode !== 200) {
      request.destroy();
      return;
    }
    if (paused) {
      opened.resolve(true);
      return;
    }
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => {
      opened.resolve(true);
      follow(chunk);
    });
  });
  request.on('error', () => undefined); // 'close' follows
  request.once('close', () => {
    opened.resolve(false);
    over.resolve('dropped');
  });
  return { opened: opened.promise, over: over.promise, close: () => request.destroy() };
}

interface Following {
  expected: string;
  onGap: (milliseconds: number) => void;
  onEnd: (how: 'right' | 'wrong') => void;
}

function createFollowing({ expected, onGap, onEnd }: Following): (chunk: string) => void {
  let text = '';
  let heardAt: number | undefined;
  const parser = createParser({
    onEvent: ({ data }) => {
      const { type, delta } = JSON.parse(data) as StreamEvent;
      if (type === TERMINAL) onEnd(text === expected ? 'right' : 'wrong');
      if (type !== DELTA) return;
      text += delta ?? '';
      const now = performance.now();
      if (heardAt !== undefined) onGap(now - heardAt);
      heardAt = now;
    },
  });
  return (chunk) => parser.feed(chunk);
}
