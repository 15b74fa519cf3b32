import { z } from 'zod';
import { toHeaders } from '../contracts/cloud-event.ts';
import { DEAD_LETTER_TYPE } from '../contracts/job-message.ts';
import { type InboundMessage, type OutboundMessage, type Producer } from '../platform/kafka/port.ts';
import { SendError } from '../platform/kafka/send-error.ts';

/** What nobody can read or run, with what an operator needs to understand it and to send it again. */
export interface DeadLetter {
  /**
   * Its id: `<topic>/<partition>/<offset>`, or `bullmq/<queue>/<job id>`. What is buried twice, because a process died
   * after it had buried it, has the same one.
   */
  origin: string;
  reason: string;
  /** The id that the message itself claimed; '' where it claimed none. */
  originalId: string;
  /** As the message had it; the origin where it had none. */
  key: string;
  value: string;
  /** The message's own headers. */
  headers: Readonly<Record<string, string>>;
}

/** A dead letter as it lies on the topic. */
export interface StoredLetter extends DeadLetter {
  /** When it was buried: milliseconds since the epoch. */
  at: number;
  /** The headers that it got as a dead letter, without those that the fields above were read from. */
  own: Readonly<Record<string, string>>;
}

export interface DeadLetters {
  /** Resolves when the dead letter is acknowledged: only then may the message be passed over. */
  publish(letter: DeadLetter): Promise<void>;
}

const REASON = 'x-turnout-reason';
const ORIGIN = 'x-turnout-origin';
const ORIGINAL_ID = 'x-turnout-original-id';
/** JSON: the letter has CloudEvents attributes of its own, and the message's must not be lost to them. */
const ORIGINAL_HEADERS = 'x-turnout-original-headers';

/** A validation that fails in a thousand places says so a thousand times. */
const MAX_REASON = 1_000;

/** What is kept of the value and the key of a letter that the topic does not take as a whole. Characters. */
const SHORT_VALUE = 64_000;
const SHORT_KEY = 1_000;

/** A letter that is too large for its topic is published in short: the message behind it must not block its partition. */
export function createDeadLetters(producer: Producer, topic: string, source: string): DeadLetters {
  return {
    publish: async (letter) => {
      try {
        await producer.send(toMessage(letter, topic, source));
      } catch (error) {
        if (!(error instanceof SendError) || error.kind !== 'too_large') throw error;
        await producer.send(toMessage(shortened(letter), topic, source));
      }
    },
  };
}

const SHORTENED = 'Shortened, since the whole is too large for the dead-letter topic: ';

/** The origin still names where the whole message is, for as long as its topic keeps it. */
function shortened({ origin, reason, originalId, key, value }: DeadLetter): DeadLetter {
  return {
    origin,
    reason: `${SHORTENED}${reason}`,
    originalId: originalId.slice(0, SHORT_KEY),
    key: key.slice(0, SHORT_KEY),
    value: value.slice(0, SHORT_VALUE),
    headers: {},
  };
}

/** Its value is a part of what the message had: it cannot be sent again. */
export function isShortened({ reason }: Pick<DeadLetter, 'reason'>): boolean {
  return reason.startsWith(SHORTENED);
}

function toMessage(letter: DeadLetter, topic: string, source: string): OutboundMessage {
  const { origin, reason, originalId, key, value, headers } = letter;
  return {
    topic,
    key,
    value,
    headers: {
      ...toHeaders({ id: origin, type: DEAD_LETTER_TYPE, source, traceparent: headers['traceparent'] }),
      [REASON]: reason.length > MAX_REASON ? `${reason.slice(0, MAX_REASON)} ...` : reason,
      [ORIGIN]: origin,
      [ORIGINAL_ID]: originalId,
      [ORIGINAL_HEADERS]: JSON.stringify(headers),
    },
  };
}

export function letterOfMessage(message: InboundMessage, reason: string): DeadLetter {
  const origin = placeOf(message);
  return {
    origin,
    reason,
    originalId: message.headers['ce_id'] ?? '',
    key: message.key ?? origin,
    value: message.value ?? '',
    headers: message.headers,
  };
}

interface GivenUpJob {
  queue: string;
  jobId: string;
  /** The user, where the data could be read. */
  user: string | undefined;
  data: unknown;
  reason: string;
}

/** A job that its queue gave up. It did not come by Kafka, so there is nothing to send again. */
export function letterOfJob({ queue, jobId, user, data, reason }: GivenUpJob): DeadLetter {
  const origin = `${QUEUES}/${queue}/${jobId}`;
  const value = JSON.stringify(data);
  return { origin, reason, originalId: jobId, key: user ?? origin, value, headers: {} };
}

/** Reads what `bury` wrote. A message that somebody else put there has itself as its origin, and no reason. */
export function readLetter(message: InboundMessage): StoredLetter {
  const { [REASON]: reason, [ORIGIN]: origin, ...rest } = message.headers;
  const { [ORIGINAL_ID]: originalId, [ORIGINAL_HEADERS]: headers, ...own } = rest;
  return {
    origin: origin ?? placeOf(message),
    reason: reason ?? 'unknown: Turnout did not write this',
    originalId: originalId ?? '',
    key: message.key ?? '',
    value: message.value ?? '',
    headers: readHeaders(headers),
    at: message.timestamp,
    own,
  };
}

/** The topic that a dead letter came from, or undefined for one that came from a queue. */
export function topicOf({ origin }: DeadLetter): string | undefined {
  return origin.startsWith(`${QUEUES}/`) ? undefined : /^([^/]+)\/\d+\/\d+$/.exec(origin)?.[1];
}

const QUEUES = 'bullmq';

function placeOf({ topic, partition, offset }: InboundMessage): string {
  return `${topic}/${partition}/${offset}`;
}

const headersJson = z.record(z.string(), z.string());

function readHeaders(json = '{}'): Record<string, string> {
  try {
    return headersJson.parse(JSON.parse(json));
  } catch {
    return {}; // somebody else wrote them: there are no headers of a message of ours to be had
  }
}
