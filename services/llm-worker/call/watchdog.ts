import { TurnoutError } from '../../../shared/platform/errors/turnout-error.ts';

/** How long a model may be silent, in milliseconds. */
export interface CallTimeouts {
  firstTokenMs: number;
  betweenTokensMs: number;
}

/** Aborts a call that is silent for too long, or when the outer signal fires. */
export function createWatchdog({ firstTokenMs, betweenTokensMs }: CallTimeouts, outer: AbortSignal) {
  const controller = new AbortController();
  let failure: TurnoutError | undefined;
  const bark = () => {
    failure = new TurnoutError('upstream_stalled');
    controller.abort(failure);
  };
  const follow = () => controller.abort(outer.reason);
  let timer = setTimeout(bark, firstTokenMs);
  let awake = false;
  if (outer.aborted) follow();
  else outer.addEventListener('abort', follow, { once: true });

  return {
    signal: controller.signal,
    /** The `upstream_stalled` error, if silence ended the call. */
    failure: () => failure,
    alive: () => {
      if (awake) {
        timer.refresh();
        return;
      }
      awake = true;
      clearTimeout(timer);
      timer = setTimeout(bark, betweenTokensMs);
    },
    end: () => {
      clearTimeout(timer);
      outer.removeEventListener('abort', follow);
    },
  };
}
