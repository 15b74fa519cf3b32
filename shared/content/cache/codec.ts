import { type z } from 'zod';

/** How a value is kept. */
export interface Codec<T> {
  encode(value: T): Buffer;
  /** Undefined for what is no such value (any more): it is computed anew. */
  decode(bytes: Buffer): T | undefined;
}

export function jsonCodec<T>(schema: z.ZodType<T>): Codec<T> {
  return {
    encode: (value) => Buffer.from(JSON.stringify(value)),
    decode: (bytes) => schema.safeParse(parseJson(bytes)).data,
  };
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined; // an entry opens only as it was kept, so another version kept another format here
  }
}

/** Numbers of 32 bits, in this machine's order: another one's are nonsense, and none is read by another one. */
export const floatsCodec: Codec<Float32Array> = {
  encode: ({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength),
  decode: (bytes) =>
    bytes.length % Float32Array.BYTES_PER_ELEMENT === 0
      ? new Float32Array(new Uint8Array(bytes).buffer)
      : undefined,
};
