import { EventEmitter } from 'node:events';
import { type FastifyReply } from 'fastify';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { openEventStream } from './event-stream.ts';

/** A fake connection whose client accepts data only when the test calls `drain`. */
class Connection extends EventEmitter {
  written: string[] = [];
  writableNeedDrain = false;
  destroyed = false;

  write(text: string): boolean {
    this.written.push(text);
    this.writableNeedDrain = true;
    return false;
  }

  drain(): void {
    this.writableNeedDrain = false;
    this.emit('drain');
  }

  destroy(): void {
    this.destroyed = true;
    this.emit('close');
  }

  writeHead(): void {
    // the headers do not matter to these tests
  }

  end(): void {
    // nor does the end
  }
}

let connection: Connection;
const open = () => {
  const reply = { raw: connection, hijack: () => undefined, getHeaders: () => ({}) };
  const stream = openEventStream(reply as unknown as FastifyReply);
  stream.open();
  return stream;
};

beforeEach(() => {
  jest.useFakeTimers();
  connection = new Connection();
});
afterEach(() => {
  jest.useRealTimers();
});

describe('a client that reads slower than the server writes', () => {
  test('applies backpressure each time, and leaves no listener behind', async () => {
    const stream = open();
    for (let turn = 0; turn < 20; turn += 1) {
      stream.data(turn);
      const flushed = stream.flush();
      connection.drain();
      await flushed;
    }
    expect(connection.written).toHaveLength(20);
    expect(connection.eventNames()).toEqual([]);
    await stream.close();
  });

  test('gets no keep-alive comments while it does not read', async () => {
    const stream = open();
    stream.data('first');
    const flushed = stream.flush();
    jest.advanceTimersByTime(120_000);
    expect(connection.written).toHaveLength(1);
    connection.drain();
    await flushed;
    jest.advanceTimersByTime(15_000);
    expect(connection.written.at(-1)).toBe(': waiting\n\n');
    await stream.close();
  });

  test('is disconnected after reading nothing for ten minutes', async () => {
    const stream = open();
    stream.data('first');
    const flushed = stream.flush();
    jest.advanceTimersByTime(599_000);
    expect(connection.destroyed).toBe(false);
    jest.advanceTimersByTime(2_000);
    await flushed;
    expect(connection.destroyed).toBe(true);
    await stream.close();
    expect(connection.eventNames()).toEqual([]);
    expect(jest.getTimerCount()).toBe(0);
  });
});
