import { type ServerResponse } from 'node:http';
import { type FastifyReply } from 'fastify';

/** A server-sent event stream over a Fastify reply. Nothing is sent, not even headers, before `open` or a few seconds have passed. */
export interface EventStream {
  /** Sends the headers. Further calls have no effect. */
  open(): void;
  opened(): boolean;
  /** Queues `data: <json>`; sent by `flush` once the stream is open. */
  data(value: unknown): void;
  /** Like `data`, with an event name, which must not contain a line break. */
  event(name: string, value: unknown): void;
  /**
   * Sends the queued data if the stream is open, and waits while the client reads slower than the server writes. Closes the
   * connection of a client that reads nothing for ten minutes.
   */
  flush(): Promise<void>;
  /** Queues OpenAI's end marker `[DONE]` and opens the stream. */
  done(): void;
  /** Sends the remaining data and ends the stream. Does nothing if the stream was never opened. */
  close(): Promise<void>;
}

/** After this time the client gets its headers and then regular comments, so that no proxy in between times out. Milliseconds. */
const OPEN_AFTER_MS = 5_000;
const PING_MS = 15_000;
const MAX_STALL_MS = 600_000;

export function openEventStream(reply: FastifyReply): EventStream {
  const { raw } = reply;
  let queued = '';
  let open = false;
  let ping: NodeJS.Timeout | undefined;

  function openNow(): void {
    if (open) return;
    open = true;
    clearTimeout(stalled);
    reply.hijack();
    raw.writeHead(200, {
      ...(reply.getHeaders() as Record<string, string>),
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
    });
    ping = setInterval(() => {
      // A client that does not read needs no keep-alive comments; they would only pile up in its buffer.
      if (!raw.writableNeedDrain) raw.write(': waiting\n\n');
    }, PING_MS);
  }
  const stalled = setTimeout(() => {
    openNow();
    raw.write(': waiting\n\n');
  }, OPEN_AFTER_MS);

  async function flush(): Promise<void> {
    if (!open || queued === '' || raw.destroyed) return;
    const text = queued;
    queued = '';
    if (!raw.write(text)) await drained(raw);
  }

  return {
    open: openNow,
    opened: () => open,
    data: (value) => {
      queued += `data: ${JSON.stringify(value)}\n\n`;
    },
    event: (name, value) => {
      queued += `event: ${name}\ndata: ${JSON.stringify(value)}\n\n`;
    },
    flush,
    done: () => {
      queued += 'data: [DONE]\n\n';
      openNow();
    },
    close: async () => {
      clearTimeout(stalled);
      clearInterval(ping);
      if (!open) return;
      await flush();
      raw.end();
    },
  };
}

/** Resolves when the client has read the written data or is gone. Leaves no listener behind, because a slow client gets here often. */
function drained(raw: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const stalled = setTimeout(() => raw.destroy(), MAX_STALL_MS);
    const done = () => {
      clearTimeout(stalled);
      raw.off('drain', done).off('close', done);
      resolve();
    };
    raw.on('drain', done).on('close', done);
  });
}
