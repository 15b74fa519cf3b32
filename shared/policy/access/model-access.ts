import { TurnoutError } from '../../platform/errors/turnout-error.ts';

/** Models that a user may not use are hidden and return the same 404 as models that do not exist. */
export function modelNotFound(model: string): TurnoutError {
  return new TurnoutError('model_not_found', {
    message: `The model '${model.slice(0, 200)}' does not exist.`,
    param: 'model',
  });
}
