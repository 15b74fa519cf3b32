/**
 * Requests with the medians of Azure's conversation trace of 2023 (Patel et al. 2024, "Splitwise", section 3.1: 1,020 prompt tokens,
 * 129 answer tokens), log-normally distributed, with tails as heavy as those of published chat traces. A scale varies the size by user.
 */
export interface TraceRequest {
  promptTokens: number;
  answerTokens: number;
}

const MEDIAN = { prompt: 1_020, answer: 129 };
const SIGMA = 1;
const MOST = { prompt: 8_000, answer: 1_500 };

/** Deterministic for a seed. `scale`: the size of the user's requests relative to the median. */
export function requestsOf(seed: number, count: number, scale: number): TraceRequest[] {
  const random = randomFrom(seed);
  const size = (median: number, most: number) =>
    Math.max(1, Math.min(most, Math.round(median * scale * Math.exp(SIGMA * gaussian(random)))));
  return Array.from({ length: count }, () => ({
    promptTokens: size(MEDIAN.prompt, MOST.prompt),
    answerTokens: size(MEDIAN.answer, MOST.answer),
  }));
}

/** Box and Muller 1958. */
function gaussian(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** mulberry32. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
