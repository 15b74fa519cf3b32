import { type ControlState, controlState } from '../../contracts/control.ts';
import { flagsOf } from './apply-command.ts';

/** Parses a control state, or returns an error if it is not valid. */
export function readState(text: string | null | undefined): ControlState | Error {
  try {
    const state = controlState.parse(JSON.parse(text ?? ''));
    flagsOf(state);
    return state;
  } catch (error) {
    return new Error('The record is not a control state of a version that this process supports', {
      cause: error,
    });
  }
}

/** Whether a state supersedes another one: it has a higher epoch, or the same epoch and a later confirmation by the leader. */
export function isNewer(state: ControlState, than: ControlState | undefined): boolean {
  if (!than || state.epoch !== than.epoch) return !than || state.epoch > than.epoch;
  return state.beatAt > than.beatAt;
}
