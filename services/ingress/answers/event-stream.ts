import { type ServerResponse } from 'node:http';
import { type FastifyReply } from 'fastify';

/** A server-sent event stream over a Fastify reply. Opens late: until `open` nothing has been sent, headers included. */
export interface EventStream {
  /** Sends the headers. Once. */
  open(): void;
  opened(): boolean;
  /** Queues `data: <json>`; sent by `flush` once the stream is open. */
  data(value: unknown): void;
  /** The same under a name, which must have no line break. */
  event(name: string, value: unknown): void;
  /**
   * Sends what is queued, if the stream is open, and waits while the client reads slower than we write. Its connection is
   * cut when it reads nothing for ten minutes.
   */
  flush(): Promise<void>;
  /** Queues OpenAI's end mark and opens. */
  done(): void;
  /** Sends the rest and ends. Does nothing when the stream was never opened. */
  close(): Promise<void>;
}

/** A client that has waited this long gets its headers, and then a comment now and then, so that nothing between times out. */
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
      // Who does not even take the answer needs no sign of life, and they would pile up before him.
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

/** Resolves when the client has taken what was written, or is gone. Leaves no listener: a slow client comes here often. */
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
