import { TurnoutError } from '../../platform/errors/turnout-error.ts';

/** A model that somebody may not use is told as one that is not there. */
export function modelNotFound(model: string): TurnoutError {
  return new TurnoutError('model_not_found', {
    message: `The model '${model.slice(0, 200)}' does not exist.`,
    param: 'model',
  });
}
