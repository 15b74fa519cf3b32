import { EventEmitter } from 'node:events';
import { type FastifyReply } from 'fastify';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { openEventStream } from './event-stream.ts';

/** A connection whose client takes what it is sent when the test says so. */
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
    // what is sent first is not what these tests are about
  }

  end(): void {
    // nor is what is sent last
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

describe('a client that reads slower than we write', () => {
  test('is waited for, again and again, and no listener stays behind', async () => {
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

  test('gets no signs of life on top of what it does not take', async () => {
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

  test('is cut after ten minutes in which it took nothing', async () => {
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
