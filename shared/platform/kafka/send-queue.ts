import { backoffMs } from '../util/retrying.ts';
import { type OutboundMessage, type SendOptions } from './port.ts';
import { BATCH_OVERHEAD_BYTES, contentBytes, recordBytes } from './record-size.ts';
import { SendError } from './send-error.ts';

/**
 * Holds the messages that wait for the broker, and the one group of messages that is in flight.
 *
 *   waiting -> in flight -> acknowledged
 *      |  ^        |-> (Kafka is unreachable) waiting again, as long as the caller waits
 *      |  |        |-> (Kafka rejects something in the group) waiting again, to be sent alone -> acknowledged | rejected
 *      |  `--------'
 *      `-> dropped: the caller aborted, or the deadline passed. The message leaves the queue at once and is never sent.
 *
 * A group has messages of one topic and is bounded in bytes, because the broker limits the batches that the client makes of it
 * (one per partition). Topics take turns, so a topic that Kafka rejects does not block the others. Within a topic, messages keep
 * the order of the `send` calls, except after a message that was sent again.
 */
export interface SendQueue {
  /** Resolves when Kafka has acknowledged the message; rejects with a `SendError`. */
  send(message: OutboundMessage, options?: SendOptions): Promise<void>;
  /** True while a group is in flight. */
  inFlight(): boolean;
  /** Accepts no more messages. Resolves when no message is waiting or in flight; after the grace period it drops the waiting ones. */
  close(graceMs: number): Promise<void>;
}

export interface Transport {
  /** Called before each group. Rejects while nothing can be sent. */
  prepare(): Promise<void>;
  /** Sends messages of one topic in one request. */
  flush(messages: readonly OutboundMessage[]): Promise<void>;
  /** Decides whether a failed flush is the fault of its messages, or of Kafka or the network (`away`). */
  judge(error: unknown): 'too_large' | 'rejected' | 'away';
  /** The largest batch of the topic, in bytes; undefined if not known yet. */
  maxBatchBytes(topic: string): number | undefined;
}

/** How long a message without a deadline waits, in milliseconds. */
export const DEFAULT_TIMEOUT_MS = 8_000;
/** Below the broker's default limit of 1 MiB. A larger message is sent alone. */
const GROUP_BYTES = 1_000_000;
const GROUP_MESSAGES = 1_000;
const BACKOFF = { baseMs: 50, maxMs: 1_000 };
/** The longest delay of a Node timer. */
const MAX_TIMER_MS = 2 ** 31 - 1;

interface Waiting {
  message: OutboundMessage;
  bytes: number;
  /** It was part of a request with an unknown outcome. */
  tried: boolean;
  /** Kafka rejected a message of its group, possibly this one; it must be sent alone. */
  alone: boolean;
  flying: boolean;
  settled: boolean;
  settle(error?: SendError): void;
}

export function createSendQueue(transport: Transport): SendQueue {
  /** By topic; the first topic is next. */
  const waiting = new Map<string, Set<Waiting>>();
  let pumping: Promise<void> | undefined;
  let flying = false;
  let closed = false;
  const closing = new AbortController();

  function send(message: OutboundMessage, options: SendOptions = {}): Promise<void> {
    const refusal = refusalOf(message, options);
    if (refusal) return Promise.reject(refusal);
    return new Promise((resolve, reject) => {
      const entry = enqueue(message, options, (error) => (error ? reject(error) : resolve()));
      queueOf(message.topic).add(entry);
      pumping ??= pump();
    });
  }

  function refusalOf(message: OutboundMessage, { signal }: SendOptions): SendError | undefined {
    if (closed) return new SendError('not_sent', 'The producer is closed');
    if (signal?.aborted)
      return new SendError('not_sent', 'The caller aborted before the message was sent', signal.reason);
    const limit = transport.maxBatchBytes(message.topic) ?? Infinity;
    const bytes = contentBytes(message) + BATCH_OVERHEAD_BYTES;
    if (bytes <= limit) return undefined;
    return new SendError(
      'too_large',
      `The topic accepts batches of up to ${limit} bytes; this one has ${bytes}`,
    );
  }

  function enqueue(
    message: OutboundMessage,
    { deadlineAt = Date.now() + DEFAULT_TIMEOUT_MS, signal }: SendOptions,
    done: (error?: SendError) => void,
  ): Waiting {
    const left = Math.min(MAX_TIMER_MS, Math.max(0, deadlineAt - Date.now()));
    const timer = setTimeout(() => giveUp(entry, 'Kafka did not acknowledge in time'), left);
    const abort = () => giveUp(entry, 'The caller aborted', signal?.reason);
    signal?.addEventListener('abort', abort, { once: true });
    const entry: Waiting = {
      message,
      bytes: recordBytes(message),
      tried: false,
      alone: false,
      flying: false,
      settled: false,
      settle: (error) => {
        if (entry.settled) return;
        entry.settled = true;
        clearTimeout(timer);
        signal?.removeEventListener('abort', abort);
        done(error);
      },
    };
    return entry;
  }

  function giveUp(entry: Waiting, message: string, cause?: unknown): void {
    const sent = entry.tried || entry.flying;
    entry.settle(new SendError(sent ? 'unknown' : 'not_sent', message, cause));
    const { topic } = entry.message;
    const queue = queueOf(topic);
    queue.delete(entry); // no effect while it is in flight: it is in no queue then
    if (queue.size === 0) waiting.delete(topic);
  }

  function queueOf(topic: string): Set<Waiting> {
    const found = waiting.get(topic) ?? new Set();
    waiting.set(topic, found);
    return found;
  }

  async function pump(): Promise<void> {
    let failures = 0;
    while (waiting.size > 0) {
      const passed = await step();
      failures = passed ? 0 : failures + 1;
      if (!passed) await pause(failures);
    }
    pumping = undefined;
  }

  /** False when nothing could be sent. */
  async function step(): Promise<boolean> {
    try {
      await transport.prepare();
    } catch {
      return false; // the transport logs it; the callers' deadlines keep running
    }
    const group = take();
    return group.length === 0 || deliver(group);
  }

  function pause(failures: number): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        closing.signal.removeEventListener('abort', end);
        resolve();
      };
      const timer = setTimeout(end, backoffMs(failures, BACKOFF));
      closing.signal.addEventListener('abort', end);
    });
  }

  /** Takes the first messages of the next topic, and moves that topic behind the others. */
  function take(): Waiting[] {
    const [next] = waiting;
    if (!next) return [];
    const [topic, queue] = next;
    const group = firstGroup(queue, transport.maxBatchBytes(topic));
    for (const entry of group) queue.delete(entry);
    waiting.delete(topic);
    if (queue.size > 0) waiting.set(topic, queue);
    return group;
  }

  async function deliver(group: readonly Waiting[]): Promise<boolean> {
    for (const entry of group) entry.flying = true;
    flying = true;
    try {
      await transport.flush(group.map(({ message }) => message));
      for (const entry of group) entry.settle();
      return true;
    } catch (error) {
      return failed(group, error);
    } finally {
      flying = false;
    }
  }

  function failed(group: readonly Waiting[], error: unknown): boolean {
    const verdict = transport.judge(error);
    const [first] = group;
    if (verdict !== 'away' && first && group.length === 1) {
      first.settle(new SendError(verdict, 'Kafka rejected the message', error));
      return true;
    }
    for (const entry of group) {
      entry.flying = false;
      entry.tried = true;
      entry.alone ||= verdict !== 'away';
    }
    putBack(group.filter(({ settled }) => !settled));
    return verdict !== 'away';
  }

  /** Puts messages back in front of those that were added later. */
  function putBack(group: readonly Waiting[]): void {
    const [first] = group;
    if (!first) return;
    const { topic } = first.message;
    waiting.set(topic, new Set([...group, ...queueOf(topic)]));
  }

  return {
    send,
    inFlight: () => flying,
    close: async (graceMs) => {
      closed = true;
      const late = setTimeout(() => {
        for (const entry of [...waiting.values()].flatMap((queue) => [...queue]))
          giveUp(entry, 'The producer is closed');
        closing.abort();
      }, graceMs);
      const given = new Promise<void>((resolve) => {
        closing.signal.addEventListener('abort', () => resolve(), { once: true });
      });
      await Promise.race([pumping, given]);
      clearTimeout(late);
    },
  };
}

/** The first messages that fit into one batch; a single one if it is too large or must be sent alone. */
function firstGroup(queue: Iterable<Waiting>, limit = GROUP_BYTES): Waiting[] {
  const most = Math.min(limit, GROUP_BYTES);
  const group: Waiting[] = [];
  let bytes = BATCH_OVERHEAD_BYTES;
  for (const entry of queue) {
    bytes += entry.bytes;
    const fits = bytes <= most && group.length < GROUP_MESSAGES && !entry.alone;
    if (group.length > 0 && !fits) break;
    group.push(entry);
    if (entry.alone) break;
  }
  return group;
}
