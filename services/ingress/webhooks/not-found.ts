import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';

export function unknownEndpoint(id: string): TurnoutError {
  return new TurnoutError('not_found', {
    message: `Webhook endpoint with id '${id}' not found.`,
    param: 'id',
  });
}

/** Throws `not_found` if the value is undefined. */
export function found<T>(value: T | undefined, id: string): T {
  if (value === undefined) throw unknownEndpoint(id);
  return value;
}
