import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';

const RETRY_AFTER_S = 2;

/** What needs a store of ours: whatever fails in it, and not on purpose, is `store_unavailable`. */
export async function storing<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof TurnoutError) throw error;
    throw new TurnoutError('store_unavailable', { cause: error, retryAfterS: RETRY_AFTER_S });
  }
}
