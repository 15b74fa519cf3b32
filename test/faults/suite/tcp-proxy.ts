import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** Stands between the services and a server, and makes the network as bad as it is told to. */
export interface TcpProxy {
  readonly port: number;
  /** Where connections go from now on. */
  aimAt(port: number): void;
  /** Every byte arrives this much later, in both directions. Milliseconds; 0: at once. */
  delay(milliseconds: number): void;
  /** Connections stay open and are accepted, and nothing passes, as before a server that stands still. */
  freeze(): void;
  /** What was held back passes, and everything after it. */
  thaw(): void;
  /** Breaks every connection that there is. */
  cut(): void;
  /** Breaks every connection, and refuses those that come, as a server that is not there does. */
  refuse(): Promise<void>;
  /** Takes connections again, on the same port. */
  accept(): Promise<void>;
  close(): Promise<void>;
}

export async function startTcpProxy(): Promise<TcpProxy> {
  const pairs = new Set<readonly [Socket, Socket]>();
  let [target, delayMs] = [0, 0];
  let isFrozen = false;

  const server = createServer((client) => {
    const upstream = connect(target, '127.0.0.1');
    const pair = [client, upstream] as const;
    pairs.add(pair);
    const destroyBoth = () => {
      pairs.delete(pair);
      for (const socket of pair) socket.destroy();
    };
    forward(client, upstream);
    forward(upstream, client);
    for (const socket of pair) socket.on('error', destroyBoth).on('close', destroyBoth).setNoDelay();
    if (isFrozen) for (const socket of pair) socket.pause();
  });

  /** One queue for each direction: timers of their own could overtake each other. */
  function forward(from: Socket, to: Socket): void {
    const late: { dueAt: number; bytes: Buffer }[] = [];
    const deliver = () => {
      while (late[0] && late[0].dueAt <= performance.now()) to.write(late.shift()?.bytes ?? '');
      if (late[0]) setTimeout(deliver, Math.max(1, late[0].dueAt - performance.now()));
    };
    from.on('data', (bytes: Buffer) => {
      if (late.length === 0 && delayMs === 0) {
        to.write(bytes);
        return;
      }
      late.push({ dueAt: performance.now() + delayMs, bytes });
      if (late.length === 1) setTimeout(deliver, delayMs);
    });
  }

  const listen = async (port: number) => {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  };
  const cut = () => {
    for (const pair of pairs) for (const socket of pair) socket.destroy();
  };
  const refuse = async () => {
    if (!server.listening) return;
    server.close();
    cut();
    await once(server, 'close');
  };
  const port = await listen(0);
  return {
    port,
    aimAt: (to) => {
      target = to;
    },
    delay: (milliseconds) => {
      delayMs = milliseconds;
    },
    freeze: () => {
      isFrozen = true;
      for (const pair of pairs) for (const socket of pair) socket.pause();
    },
    thaw: () => {
      isFrozen = false;
      for (const pair of pairs) for (const socket of pair) socket.resume();
    },
    cut,
    refuse,
    accept: async () => {
      await listen(port);
    },
    close: refuse,
  };
}
