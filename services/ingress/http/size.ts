/** What is larger is worked on in a thread. Bytes, or characters where a value is measured. */
export const LARGE_BYTES = 256 * 1024;

/** About what a value adds to its text beside it, and more values than this cost as much as long texts do. */
const PER_VALUE = 16;

/** Whether a JSON value is large, by the characters of its texts. Stops looking as soon as it is. */
export function isLarge(value: unknown): boolean {
  return sizeUpTo(LARGE_BYTES, value) > LARGE_BYTES;
}

/** About as many characters as its JSON has, or something above `enough`. */
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

/** How many JSON values a value is made of, or something above `enough`. */
export function valuesUpTo(enough: number, value: unknown): number {
  if (typeof value !== 'object' || value === null) return 1;
  let values = 1;
  for (const member of Object.values(value)) {
    values += valuesUpTo(enough - values, member);
    if (values > enough) break;
  }
  return values;
}
