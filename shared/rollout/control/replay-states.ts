import { type ControlCommand, type ControlState } from '../../contracts/control.ts';
import { applyCommand, initialState } from './apply-command.ts';
import { type AuditEntry } from './read-audit.ts';

/** A command that began an epoch, and the states before and after it. */
export interface ReplayedEpoch {
  command: ControlCommand;
  /** Milliseconds since the epoch, by its leader's clock. */
  decidedAt: number;
  before: ControlState;
  after: ControlState;
}

export interface ReplayedStates {
  epochs: ReplayedEpoch[];
  /** Commands whose replay differs from the leader's recorded result. */
  problems: string[];
}

/** Recomputes every state that was ever in force from the audit trail alone. */
export function replayStates(entries: readonly AuditEntry[]): ReplayedStates {
  const replayed: ReplayedStates = { epochs: [], problems: [] };
  let before = initialState();
  for (const { offset, command, status, epoch, decidedAt } of entries) {
    if (status !== 'applied' || command === undefined || decidedAt === undefined) continue;
    const applied = applyCommand(before, command, decidedAt);
    if ('refused' in applied || applied.state.epoch !== epoch) {
      const outcome =
        'refused' in applied ? `is refused: ${applied.refused}` : `leads to epoch ${applied.state.epoch}`;
      replayed.problems.push(
        `The command at offset ${offset} led to epoch ${epoch}; in the replay it ${outcome}.`,
      );
      continue;
    }
    const { state: after } = applied;
    if (after.epoch !== before.epoch) replayed.epochs.push({ command, decidedAt, before, after });
    before = after;
  }
  return replayed;
}
