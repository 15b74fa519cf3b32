import { hash } from 'node:crypto';

/** A 32-bit seed that depends on every character of every part. Parts are separated, so ('ab','c') differs from ('a','bc'). */
export function seedOf(...parts: readonly string[]): number {
  return hash('sha1', parts.join('\u0000'), 'buffer').readUInt32LE(0);
}

/** Mulberry32: a small deterministic generator of numbers in [0, 1). */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** The item of a non-empty list at index `at`, wrapping around. */
export function pick<T>(items: readonly [T, ...T[]], at: number): T {
  return items[Math.abs(Math.trunc(at)) % items.length] ?? items[0];
}
