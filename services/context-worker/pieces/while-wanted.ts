import { periodically } from '../../../shared/platform/util/periodically.ts';

interface Wanted {
  /** The reason why the result is no longer needed; undefined while it is needed. */
  unwanted: () => Promise<Error | undefined>;
  /** Called when a check fails; the work continues, and so do the checks. */
  onError: (error: unknown) => void;
}

/** How often to check whether the result is still needed. */
const LOOK_EVERY_MS = 500;

/** Runs the work with a signal that fires, with the reason, when the result is no longer needed; before the work, if it never was. */
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
