import { randomBytes } from 'node:crypto';

/** A number in [0, 1). */
export type Random = () => number;

const POOL_BYTES = 4_096;
const NUMBER_BYTES = 4;
let pool = Buffer.alloc(0);
let used = 0;

/** Unlike with `Math.random`, the next number cannot be predicted from earlier ones. Takes nanoseconds, because bytes are drawn in pools. */
export const secureRandom: Random = () => {
  if (used + NUMBER_BYTES > pool.length) [pool, used] = [randomBytes(POOL_BYTES), 0];
  const drawn = pool.readUInt32LE(used);
  used += NUMBER_BYTES;
  return drawn / 2 ** 32;
};
