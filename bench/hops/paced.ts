import { setTimeout as delay } from 'node:timers/promises';

export interface Pace {
  /** The total number of messages. */
  count: number;
  perSecond: number;
}

/** A one-way transport: `send` sends message `number`, and the receiver calls `arrived` with the number. */
export interface Hop {
  send(number: number): Promise<unknown>;
  close(): Promise<void>;
}

/** Messages at the beginning that are not counted, because connections, scripts and compiled code are not warm yet. */
const WARM_UP = 10;
const LOST_AFTER_MS = 10_000;

/**
 * Sends messages at a fixed rate. Returns the milliseconds from send to arrival, in order of arrival. Throws if a message has not
 * arrived after ten seconds.
 */
export async function timeHop(
  open: (arrived: (number: number) => void) => Promise<Hop>,
  { count, perSecond }: Pace,
): Promise<number[]> {
  const sentAt: number[] = [];
  const durations: number[] = [];
  const { promise: all, resolve } = Promise.withResolvers<undefined>();
  let arrivals = 0;
  const hop = await open((number) => {
    const duration = performance.now() - (sentAt[number] ?? Number.NaN);
    if (number >= WARM_UP) durations.push(duration);
    arrivals += 1;
    if (arrivals === count + WARM_UP) resolve(undefined);
  });
  try {
    for (let number = 0; number < count + WARM_UP; number += 1) {
      const next = delay(1_000 / perSecond);
      sentAt[number] = performance.now();
      await hop.send(number);
      await next;
    }
    await withinTime(all);
    return durations;
  } finally {
    await hop.close();
  }
}

async function withinTime(all: Promise<unknown>): Promise<void> {
  const timeout = new AbortController();
  const late = delay(LOST_AFTER_MS, undefined, { signal: timeout.signal }).then(() => {
    throw new Error(`A message did not arrive within ${LOST_AFTER_MS / 1_000} s`);
  });
  await Promise.race([all, late]).finally(() => timeout.abort());
}
