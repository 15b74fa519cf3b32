import { z } from 'zod';

/**
 * Tolerant readers: versions N and N+1 run side by side during a rolling upgrade, so a reader meets values that a later version
 * has added. It carries them and takes the branch that it has for any other value; it never fails because of them.
 */
const ADDED_LATER = /^[a-z][a-z0-9_.-]{0,63}$/;

/**
 * One of these values, or one that a later version has added: a short lower-case word. Its type is that of the known values, so code
 * that branches on one needs a default branch.
 */
export function openEnum<const T extends readonly string[]>(values: T): z.ZodType<T[number], T[number]> {
  return z.custom<T[number]>(
    (value) => typeof value === 'string' && (values.includes(value) || ADDED_LATER.test(value)),
    `must be one of ${values.join(', ')}, or another short word`,
  );
}

/** The same for a reader that has to name one that it knows: a value that a later version has added is read as `otherwise`. */
export function knownOr<const T extends readonly string[]>(values: T, otherwise: T[number]) {
  return openEnum(values).transform((value) => (values.includes(value) ? value : otherwise));
}

/** A version that these readers understand: the major one, whatever its minor (1.1, 1.2, ...). A minor version only adds. */
export function ofMajor<const T extends number>(major: T): z.ZodType<T, T> {
  return z.custom<T>(
    (value) => typeof value === 'number' && Math.trunc(value) === major,
    `must be version ${major}`,
  );
}

/** The version of JSON that is of a later major version than the reader's; undefined for anything else. */
export function laterVersion(value: unknown, major: number): number | undefined {
  const version =
    typeof value === 'object' && value !== null && 'version' in value ? value.version : undefined;
  return typeof version === 'number' && Math.trunc(version) > major ? version : undefined;
}
