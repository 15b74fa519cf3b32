import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A proxy between the services and a server that makes the network as bad as the test wants. */
export interface TcpProxy {
  readonly port: number;
  /** Sets the target of new connections. */
  aimAt(port: number): void;
  /** Delays every byte in both directions by this many milliseconds. 0: no delay. */
  delay(milliseconds: number): void;
  /** Keeps and accepts connections but forwards nothing, like a server that is frozen. */
  freeze(): void;
  /** Forwards what was held back, and everything after it. */
  thaw(): void;
  /** Breaks every existing connection. */
  cut(): void;
  /** Breaks every connection and refuses new ones, like a server that is down. */
  refuse(): Promise<void>;
  /** Accepts connections again, on the same port. */
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

  /** One queue per direction, because separate timers could reorder the bytes. */
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
