import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';

export function unknownEndpoint(id: string): TurnoutError {
  return new TurnoutError('not_found', { message: `There is no webhook endpoint '${id}'.`, param: 'id' });
}

/** Throws `not_found` for what is not there. */
export function found<T>(value: T | undefined, id: string): T {
  if (value === undefined) throw unknownEndpoint(id);
  return value;
}
