import { seedOf } from './random.ts';

export const DEFAULT_DIMENSIONS = 256;

/**
 * A bag of words: each word adds or subtracts one in a dimension chosen by its hash ("feature hashing", Weinberger et al. 2009). The
 * vector is scaled to length 1. Texts that share words are close; a text without words is the first unit vector.
 */
export function embed(text: string, dimensions = DEFAULT_DIMENSIONS): Float32Array {
  const vector = new Float32Array(dimensions);
  for (const word of text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []) {
    const hashed = seedOf(word);
    const at = (hashed >>> 1) % dimensions;
    vector[at] = (vector[at] ?? 0) + (hashed & 1 ? 1 : -1);
  }
  const length = Math.hypot(...vector);
  if (length === 0) return vector.fill(1, 0, 1);
  return vector.map((value) => value / length);
}

/** Little-endian 32-bit floats in base64, as OpenAI sends them. */
export function toBase64(vector: Float32Array): string {
  const bytes = Buffer.alloc(vector.length * 4);
  vector.forEach((value, index) => bytes.writeFloatLE(value, index * 4));
  return bytes.toString('base64');
}
