/** Larger bodies and values are processed in a worker thread. Bytes of a body, or characters of a value. */
export const LARGE_BYTES = 256 * 1024;

/** The approximate overhead of one value besides its text. Many small values cost as much time as long texts do. */
const PER_VALUE = 16;

/** Whether a JSON value is large, measured by the characters of its strings and keys. Stops counting as soon as it is. */
export function isLarge(value: unknown): boolean {
  return sizeUpTo(LARGE_BYTES, value) > LARGE_BYTES;
}

/** The approximate number of characters of the value's JSON, or some number above `enough`. */
export function sizeUpTo(enough: number, value: unknown): number {
  if (typeof value === 'string') return value.length + 2;
  if (typeof value !== 'object' || value === null) return PER_VALUE;
  let size = PER_VALUE;
  for (const [name, member] of Object.entries(value)) {
    size += (Array.isArray(value) ? 1 : name.length + 4) + sizeUpTo(enough - size, member);
    if (size > enough) break;
  }
  return size;
}

/** The number of JSON values that a value contains, itself included, or some number above `enough`. */
export function valuesUpTo(enough: number, value: unknown): number {
  if (typeof value !== 'object' || value === null) return 1;
  let values = 1;
  for (const member of Object.values(value)) {
    values += valuesUpTo(enough - values, member);
    if (values > enough) break;
  }
  return values;
}
