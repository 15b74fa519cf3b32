import { periodically } from '../../../shared/platform/util/periodically.ts';

interface Wanted {
  /** Why the work's result is not needed any more; undefined while it is. */
  unwanted: () => Promise<Error | undefined>;
  /** A look failed: the work goes on, and the next look comes all the same. */
  onError: (error: unknown) => void;
}

/** How often it is looked whether the result is still wanted. */
const LOOK_EVERY_MS = 500;

/** Runs the work with a signal that fires, with the reason, once its result is not wanted any more: at once where it never was. */
export async function whileWanted<T>(
  { unwanted, onError }: Wanted,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const look = async () => {
    const reason = await unwanted();
    if (reason) controller.abort(reason);
  };
  await look().catch(onError);
  const looking = periodically({ everyMs: LOOK_EVERY_MS, run: look, onError });
  looking.start();
  try {
    return await work(controller.signal);
  } finally {
    await looking.close();
  }
}
