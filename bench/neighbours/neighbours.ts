import { setTimeout as delay } from 'node:timers/promises';
import { type Reading, readStream } from '../../test/faults/support/reading.ts';
import { ask, undisturbed } from '../../test/faults/support/simulator.ts';
import { keyOf } from '../fairness/calls.ts';
import { MODEL } from '../load/chat-call.ts';
import type { Target } from '../load/protocol.ts';
import type { NEIGHBOURS_PLAN } from './plan.ts';
import type { StreamTimes } from './silences.ts';

export interface Neighbours {
  /** The streams that were open at some time since `time`. Milliseconds since the epoch. */
  since(time: number): NeighbourStream[];
  /** Sends no more requests, and waits for the last answers. */
  stop(): Promise<void>;
}

export interface NeighbourStream extends StreamTimes {
  over: Promise<void>;
  jobId: string | undefined;
  /** The problem of the stream as text; undefined if the answer is complete and correct, or still running. */
  complaint: string | undefined;
}

/** Staggers the users' answers, and delays a request after a failure. Milliseconds. */
const STAGGER_MS = 500;

/** Users that read one stream after the other, without retries. */
export function startNeighbours(
  target: Target,
  { users, tokens, tokensPerSecond }: typeof NEIGHBOURS_PLAN.neighbours,
): Neighbours {
  const streams: NeighbourStream[] = [];
  const url = target.baseUrl.replace(/\/v1$/, '');
  let stopped = false;

  async function play(user: number): Promise<void> {
    const question = `Where does line ${user} from the harbour end?`;
    const body = { model: MODEL, messages: ask(question, `tokens=${tokens}; tps=${tokensPerSecond}`) };
    const expected = await undisturbed(body);
    await delay(user * STAGGER_MS);
    while (!stopped) {
      const stream = follow(readStream({ url, apiKey: keyOf(target, user), body }), expected);
      streams.push(stream);
      await stream.over;
      if (stream.complaint !== undefined) await delay(STAGGER_MS);
    }
  }

  const playing = Promise.all(Array.from({ length: users }, (_, user) => play(user)));
  playing.catch(() => undefined); // `stop` rejects with the error
  return {
    since: (time) => streams.filter(({ endedAt }) => endedAt === undefined || endedAt >= time),
    stop: async () => {
      stopped = true;
      await playing;
    },
  };
}

function follow(reading: Reading, expected: string): NeighbourStream {
  const stream: NeighbourStream = {
    askedAt: Date.now(),
    arrivals: reading.arrivals(),
    endedAt: undefined,
    jobId: undefined,
    complaint: undefined,
    over: Promise.resolve(),
  };
  let status: number | undefined;
  const opened = reading.opened.then(
    (response) => {
      status = response.status;
      stream.jobId = response.headers.get('x-turnout-job-id') ?? undefined;
    },
    () => undefined, // `reading.broken` reports it
  );
  stream.over = Promise.all([opened, reading.over]).then(() => {
    stream.endedAt = Date.now();
    if (!reading.done() || reading.text() !== expected) stream.complaint = complaintOf(reading, status);
  });
  return stream;
}

function complaintOf(reading: Reading, status: number | undefined): string {
  const error = reading.error();
  if (error !== undefined) return `${status ?? ''} ${error}`;
  if (reading.broken()) return 'the connection broke';
  return reading.done() ? 'wrong text' : 'no end';
}
