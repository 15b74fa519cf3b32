import { TurnoutError } from '../../../shared/errors/turnout-error.ts';

const RETRY_AFTER_S = 1;

/** What needs the job Redis. Nothing else in it fails but on purpose. */
export async function stored<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof TurnoutError) throw error;
    const message = 'The store is unavailable. Try again.';
    throw new TurnoutError('store_unavailable', { message, cause: error, retryAfterS: RETRY_AFTER_S });
  }
}

export function unknownEndpoint(id: string): TurnoutError {
  return new TurnoutError('not_found', { message: `There is no webhook endpoint '${id}'.`, param: 'id' });
}

/** Throws `not_found` for what is not there. */
export function found<T>(value: T | undefined, id: string): T {
  if (value === undefined) throw unknownEndpoint(id);
  return value;
}
