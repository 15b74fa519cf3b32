/** The times of one stream. Milliseconds since the epoch. */
export interface StreamTimes {
  askedAt: number;
  /** The arrival time of each chunk. */
  arrivals: readonly number[];
  /** Undefined while the stream is open. */
  endedAt: number | undefined;
}

export interface SilenceSpan {
  from: number;
  to: number;
}

export interface Silences {
  /** The longest time between two chunks of a stream, in milliseconds; 0 if there are no streams. */
  gapMs: number;
  /** The longest time from a question to its first chunk, in milliseconds. */
  firstTokenMs: number;
}

/** The longest silences that overlap the span, in full length. Silences of open streams last until the end of the span. */
export function silencesIn(streams: readonly StreamTimes[], span: SilenceSpan): Silences {
  const longest = (waits: readonly (readonly [number, number])[]) =>
    Math.max(0, ...waits.filter(([from, to]) => to > from && from < span.to && to > span.from).map(lengthOf));
  return {
    gapMs: longest(streams.flatMap((stream) => gapsOf(stream, span.to))),
    firstTokenMs: longest(
      streams.map(({ askedAt, arrivals, endedAt }) => [askedAt, arrivals[0] ?? endedAt ?? span.to] as const),
    ),
  };
}

function gapsOf({ arrivals, endedAt }: StreamTimes, now: number): (readonly [number, number])[] {
  const ends = endedAt === undefined ? [...arrivals.slice(1), now] : arrivals.slice(1);
  return ends.map((end, at) => [arrivals[at] ?? end, end] as const);
}

function lengthOf([from, to]: readonly [number, number]): number {
  return to - from;
}
