import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';

/** When a client may try again after a store or Kafka failed; seconds. */
export const STORE_RETRY_AFTER_S = 2;

/** Runs work that needs a store. Any failure other than a `TurnoutError` becomes `store_unavailable`. */
export async function storing<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof TurnoutError) throw error;
    throw new TurnoutError('store_unavailable', { cause: error, retryAfterS: STORE_RETRY_AFTER_S });
  }
}
