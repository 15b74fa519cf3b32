import { type z } from 'zod';

/** Converts values to and from stored bytes. */
export interface Codec<T> {
  encode(value: T): Buffer;
  /** Undefined for bytes that are not a valid value; it is computed again. */
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
    return undefined; // encryption rules out damage, so another version of the software wrote another format
  }
}

/** 32-bit floats in the machine's byte order. All machines that share a cache must have the same byte order. */
export const floatsCodec: Codec<Float32Array> = {
  encode: ({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength),
  decode: (bytes) =>
    bytes.length % Float32Array.BYTES_PER_ELEMENT === 0
      ? new Float32Array(new Uint8Array(bytes).buffer)
      : undefined,
};
