import { backoffMs } from '../util/retrying.ts';
import { type OutboundMessage, type SendOptions } from './port.ts';
import { BATCH_OVERHEAD_BYTES, contentBytes, recordBytes } from './record-size.ts';
import { SendError } from './send-error.ts';

/**
 * The messages that wait for the broker, and the one group of them that is on its way.
 *
 *   waiting -> in flight -> acknowledged
 *      |  ^        |-> (Kafka is away) waiting again, as long as its caller waits
 *      |  |        |-> (Kafka refuses something in the group) waiting again, to travel alone -> acknowledged | refused
 *      |  `--------'
 *      `-> given up: its caller aborted, or its deadline passed. It leaves the queue at once and is never sent.
 *
 * A group has messages of one topic and is bounded in bytes, because the broker limits the batch that the client makes of it
 * (one a partition). Topics take turns: one that Kafka does not take holds up no other one. Within a topic the order is
 * that of `send`, except behind a message that was sent again.
 */
export interface SendQueue {
  /** Resolves when Kafka has the message; rejects with a `SendError`. */
  send(message: OutboundMessage, options?: SendOptions): Promise<void>;
  /** True while a group is on its way. */
  inFlight(): boolean;
  /** Takes nothing more. Resolves when nothing waits and nothing is in flight; gives up what is left after so many milliseconds. */
  close(graceMs: number): Promise<void>;
}

export interface Transport {
  /** Rejects while nothing can be sent. Nothing was sent then. */
  prepare(): Promise<void>;
  /** One topic, one request. */
  flush(messages: readonly OutboundMessage[]): Promise<void>;
  /** What a failed flush says: of its messages, or (`away`) of Kafka and the way to it. */
  judge(error: unknown): 'too_large' | 'rejected' | 'away';
  /** The largest batch that the topic takes, in bytes; undefined where nobody has asked yet. */
  maxBatchBytes(topic: string): number | undefined;
}

/** Without a deadline of its own a message waits so long. Milliseconds. */
export const DEFAULT_TIMEOUT_MS = 8_000;
/** The broker's default limit is 1 MiB; what is larger travels alone. */
const GROUP_BYTES = 1_000_000;
const GROUP_MESSAGES = 1_000;
const BACKOFF = { baseMs: 50, maxMs: 1_000 };
/** The longest that a timer can wait. */
const MAX_TIMER_MS = 2 ** 31 - 1;

interface Waiting {
  message: OutboundMessage;
  bytes: number;
  /** It was part of a request whose outcome nobody knows. */
  tried: boolean;
  /** Something in its group was refused: it may have been this one. */
  alone: boolean;
  flying: boolean;
  settled: boolean;
  settle(error?: SendError): void;
}

export function createSendQueue(transport: Transport): SendQueue {
  /** By topic; the topic whose turn it is stands first. */
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
    if (signal?.aborted) return new SendError('not_sent', 'Given up before it was sent', signal.reason);
    const limit = transport.maxBatchBytes(message.topic) ?? Infinity;
    const bytes = contentBytes(message) + BATCH_OVERHEAD_BYTES;
    if (bytes <= limit) return undefined;
    return new SendError('too_large', `The topic takes batches of ${limit} bytes; this one has ${bytes}`);
  }

  function enqueue(
    message: OutboundMessage,
    { deadlineAt = Date.now() + DEFAULT_TIMEOUT_MS, signal }: SendOptions,
    done: (error?: SendError) => void,
  ): Waiting {
    const left = Math.min(MAX_TIMER_MS, Math.max(0, deadlineAt - Date.now()));
    const timer = setTimeout(() => giveUp(entry, 'Kafka did not acknowledge in time'), left);
    const abort = () => giveUp(entry, 'Its caller gave it up', signal?.reason);
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
    queue.delete(entry); // what is in flight is in no queue
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
      return false; // told by the transport; the callers' deadlines go on
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

  /** The first messages of the topic whose turn it is, which then goes behind the others. */
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
      first.settle(new SendError(verdict, 'Kafka refused the message', error));
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

  /** Before those that came later. */
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

/** The first messages that fit into one batch; one, if it is too large for any company, or must travel alone. */
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
