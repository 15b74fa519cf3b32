import { generator } from '../core/random.ts';

export interface Pace {
  /** Milliseconds before the first token. */
  ttft: number;
  /** Tokens per second; 0 = all at once. */
  tps: number;
  /** Fraction (0-1) by which each wait varies. */
  jitter: number;
}

export interface Pacer {
  /** Number of tokens that are due `elapsed` milliseconds after the start. `elapsed` must not decrease between calls. */
  dueAt(elapsed: number): number;
  /** When the next token is due, in milliseconds after the start. */
  nextAt(): number;
}

/** Every token has its own due time on one clock, so that a late timer does not delay the tokens after it. */
export function createPacer({ ttft, tps, jitter }: Pace, seed: number): Pacer {
  const random = jitter === 0 ? () => 0.5 : generator(seed);
  const varied = (ms: number): number => ms * (1 + jitter * (2 * random() - 1));
  const gap = tps === 0 ? 0 : 1000 / tps;
  let due = 0;
  let next = varied(ttft);
  return {
    dueAt(elapsed) {
      if (tps === 0) return elapsed >= next ? Infinity : 0;
      for (; next <= elapsed; next += varied(gap)) due += 1;
      return due;
    },
    nextAt: () => next,
  };
}

/** Milliseconds that a non-streaming answer with this number of tokens takes. */
export function durationOf(tokens: number, pace: Pace, seed: number): number {
  const pacer = createPacer(pace, seed);
  let at = pacer.nextAt();
  while (pacer.dueAt(at) < tokens) at = pacer.nextAt();
  return at;
}
