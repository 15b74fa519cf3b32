import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';

const RETRY_AFTER_S = 2;

/** Runs work that needs a store. Any failure other than a `TurnoutError` becomes `store_unavailable`. */
export async function storing<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof TurnoutError) throw error;
    throw new TurnoutError('store_unavailable', { cause: error, retryAfterS: RETRY_AFTER_S });
  }
}
