import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';

/** The cache directives of a request (RFC 9111, section 5.2.1). */
export interface CacheControl {
  noCache: boolean;
  noStore: boolean;
  /** Milliseconds. */
  maxAgeMs: number | undefined;
}

const MAX_AGE = /^"?(\d{1,10})"?$/;

/** Ignores unknown directives, as the RFC requires. Throws `invalid_value` if `max-age` is not a whole number of seconds. */
export function readCacheControl(header: string | undefined): CacheControl {
  const directives = new Map(
    (header ?? '').split(',').map((directive) => {
      const [name = '', ...value] = directive.trim().split('=');
      return [name.toLowerCase(), value.join('=')] as const;
    }),
  );
  return {
    noCache: directives.has('no-cache'),
    noStore: directives.has('no-store'),
    maxAgeMs: maxAge(directives.get('max-age')),
  };
}

function maxAge(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const [, seconds] = MAX_AGE.exec(value) ?? [];
  if (seconds !== undefined) return Number(seconds) * 1_000;
  throw new TurnoutError('invalid_value', {
    message: 'The max-age directive of the Cache-Control header must be a whole number of seconds.',
    param: 'Cache-Control',
  });
}
