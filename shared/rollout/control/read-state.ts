import { type ControlState, controlState } from '../../contracts/control.ts';
import { flagsOf } from './apply-command.ts';

/** The state of a record's text, or why it is none. */
export function readState(text: string | null | undefined): ControlState | Error {
  try {
    const state = controlState.parse(JSON.parse(text ?? ''));
    flagsOf(state);
    return state;
  } catch (error) {
    return new Error('it is no control state of a version that this process knows', { cause: error });
  }
}

/** Of two records the one that holds: the higher epoch, and of one epoch the one that was told last. */
export function isNewer(state: ControlState, than: ControlState | undefined): boolean {
  if (!than || state.epoch !== than.epoch) return !than || state.epoch > than.epoch;
  return state.beatAt > than.beatAt;
}
