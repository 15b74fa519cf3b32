import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Counts sockets that carried at least one provider call. Sockets that only read the ledger are not counted. */
export interface SocketCounts {
  opened: number;
  closed: number;
  /** Closed by the peer before the answer was complete. */
  aborted: number;
  /** Destroyed by the simulator. */
  cut: number;
  open: number;
}

interface SocketState {
  owed: number;
  cut: boolean;
  /** When the peer's FIN or reset was seen (performance.now). */
  goneAt: number | null;
}

const none = (): SocketCounts => ({ opened: 0, closed: 0, aborted: 0, cut: 0, open: 0 });

export class SocketBook {
  readonly #states = new WeakMap<Socket, SocketState>();
  #counts = none();

  /** Marks an answer as pending on this socket until the response is finished. */
  admit(request: IncomingMessage, response: ServerResponse): void {
    const state = this.#states.get(request.socket) ?? this.#watch(request.socket);
    state.owed += 1;
    response.once('finish', () => (state.owed -= 1));
  }

  /** Marks the socket as one that the simulator is about to destroy. */
  cut(socket: Socket): void {
    const state = this.#states.get(socket);
    if (state !== undefined) state.cut = true;
  }

  /** Milliseconds since the peer's FIN or reset was seen; 0 if the close itself is the first sign. */
  sinceGone(socket: Socket): number {
    const goneAt = this.#states.get(socket)?.goneAt ?? null;
    return goneAt === null ? 0 : performance.now() - goneAt;
  }

  counts(): SocketCounts {
    return { ...this.#counts };
  }

  /** Sockets that are still open stay counted as opened. */
  reset(): void {
    const { open } = this.#counts;
    this.#counts = { ...none(), opened: open, open };
  }

  #watch(socket: Socket): SocketState {
    const state: SocketState = { owed: 0, cut: false, goneAt: null };
    const gone = (): void => {
      state.goneAt ??= performance.now();
    };
    this.#states.set(socket, state);
    this.#counts.opened += 1;
    this.#counts.open += 1;
    socket.once('end', gone);
    socket.once('error', gone);
    socket.once('close', () => {
      this.#counts.closed += 1;
      this.#counts.open -= 1;
      if (state.cut) this.#counts.cut += 1;
      else if (state.owed > 0) this.#counts.aborted += 1;
    });
    return state;
  }
}
