import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';

/** What a request says of the cache (RFC 9111, section 5.2.1). */
export interface CacheControl {
  noCache: boolean;
  noStore: boolean;
  /** Milliseconds. */
  maxAgeMs: number | undefined;
}

const MAX_AGE = /^"?(\d{1,10})"?$/;

/** Directives that mean nothing here are ignored, as the RFC asks. Throws `invalid_value` for a `max-age` that is no number of seconds. */
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
    message: 'max-age of Cache-Control must be a whole number of seconds.',
    param: 'Cache-Control',
  });
}
