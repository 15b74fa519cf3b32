import { z } from 'zod';
import { toHeaders } from '../contracts/cloud-event.ts';
import { DEAD_LETTER_TYPE } from '../contracts/job-message.ts';
import { type InboundMessage, type OutboundMessage, type Producer } from '../platform/kafka/port.ts';
import { SendError } from '../platform/kafka/send-error.ts';

/** A message or job that no service can process, with what an operator needs to diagnose it and to send it again. */
export interface DeadLetter {
  /**
   * The letter's id: `<topic>/<partition>/<offset>`, or `bullmq/<queue>/<job id>`. A letter that is published twice, because a process died
   * after publishing it, has the same id.
   */
  origin: string;
  reason: string;
  /** The message's own id (`ce_id`); '' without one. */
  originalId: string;
  /** The message's key; the origin when it had none. */
  key: string;
  value: string;
  /** The message's own headers. */
  headers: Readonly<Record<string, string>>;
}

/** A dead letter as read from the topic. */
export interface StoredLetter extends DeadLetter {
  /** When it was published to the dead-letter topic; milliseconds since the epoch. */
  at: number;
  /** The dead letter's other headers: those that the fields above were not read from. */
  own: Readonly<Record<string, string>>;
}

export interface DeadLetters {
  /** Resolves when the dead letter is acknowledged. Only then may the consumer skip the message. */
  publish(letter: DeadLetter): Promise<void>;
}

const REASON = 'x-turnout-reason';
const ORIGIN = 'x-turnout-origin';
const ORIGINAL_ID = 'x-turnout-original-id';
/** JSON. The message's headers are nested, since the letter has its own CloudEvents attributes under the same names. */
const ORIGINAL_HEADERS = 'x-turnout-original-headers';

/** Characters. A validation error may list thousands of problems. */
const MAX_REASON = 1_000;

/** How much of its value, key and id a letter keeps when it is too large for the topic. Characters. */
const SHORT_VALUE = 64_000;
const SHORT_KEY = 1_000;

/** A letter that is too large for its topic is published shortened, so its message does not block the partition that it came from. */
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

/** The origin still says where the full message is, as long as its topic retains it. */
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

/** A shortened letter has only part of its message's value, so it cannot be sent again. */
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

/** A job that its queue gave up. It did not come from Kafka, so there is no message to send again. */
export function letterOfJob({ queue, jobId, user, data, reason }: GivenUpJob): DeadLetter {
  const origin = `${QUEUES}/${queue}/${jobId}`;
  const value = JSON.stringify(data);
  return { origin, reason, originalId: jobId, key: user ?? origin, value, headers: {} };
}

/** Reads a letter that `publish` wrote. A message from another producer is its own origin, and its reason is unknown. */
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
    return {}; // another producer wrote them
  }
}
