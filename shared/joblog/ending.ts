import { type JobEvent } from '../contracts/job-event.ts';
import { type TurnoutError } from '../errors/turnout-error.ts';

/** A failure as the job log keeps it. */
export function failedEvent(error: TurnoutError, at: number): JobEvent {
  return {
    type: 'failed',
    at,
    error: {
      code: error.code,
      message: error.message,
      ...(error.param === undefined ? {} : { param: error.param }),
      ...(error.retryAfterS === undefined ? {} : { retryAfterS: error.retryAfterS }),
    },
  };
}
