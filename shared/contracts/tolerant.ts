import { z } from 'zod';

/**
 * Tolerant readers. During a rolling upgrade, releases N and N+1 run side by side, so a reader can meet values that the later
 * release has added. It keeps such values and handles them in its default branch; it never fails because of them.
 */
const ADDED_LATER = /^[a-z][a-z0-9_.-]{0,63}$/;

/**
 * One of these values, or one that a later release has added: a short lower-case word. The type lists only the known values, so
 * code that branches on it needs a default branch.
 */
export function openEnum<const T extends readonly string[]>(values: T): z.ZodType<T[number], T[number]> {
  return z.custom<T[number]>(
    (value) => typeof value === 'string' && (values.includes(value) || ADDED_LATER.test(value)),
    `must be one of ${values.join(', ')}, or another short lower-case word`,
  );
}

/** The same for readers that need a known value: a value that a later release has added is read as `otherwise`. */
export function knownOr<const T extends readonly string[]>(values: T, otherwise: T[number]) {
  return openEnum(values).transform((value) => (values.includes(value) ? value : otherwise));
}

/** Any version with this major number (1, 1.1, 1.2, ...). Minor versions only add fields and values, so readers understand them all. */
export function ofMajor<const T extends number>(major: T): z.ZodType<T, T> {
  return z.custom<T>(
    (value) => typeof value === 'number' && Math.trunc(value) === major,
    `must be version ${major}`,
  );
}

/** The version of a parsed value if its major number is later than the reader's; otherwise undefined. */
export function laterVersion(value: unknown, major: number): number | undefined {
  const version =
    typeof value === 'object' && value !== null && 'version' in value ? value.version : undefined;
  return typeof version === 'number' && Math.trunc(version) > major ? version : undefined;
}
