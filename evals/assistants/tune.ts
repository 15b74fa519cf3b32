import { floorOf } from '../../services/router/assistants/select-assistant.ts';
import { scorer } from './quality.ts';
import type { Trial } from './registries.ts';

export interface TunedFloor {
  /** The best floor for these trials, and the floor that the router uses. */
  best: number;
  inForce: number;
  /** For each of the two floors: the mean of the share of requests with the right assistant and the share of other requests with none. */
  atBest: number;
  atInForce: number;
}

const STEP = 0.01;
const HIGHEST = 0.6;

/** The floor that is best on the validation split. The `near` and the `outside` requests have the same weight. */
export function bestFloor(trials: readonly Trial[]): TunedFloor {
  const scored = trials.map((trial) => {
    const score = scorer(trial);
    const { inScope, near, outside } = trial;
    return {
      ours: inScope.map(score),
      others: [outside, near].filter(({ length }) => length > 0).map((all) => all.map(score)),
    };
  });
  const value = (floor: number): number =>
    mean(
      scored.map(({ ours, others }) => {
        const right = mean(ours.map((one) => Number(one.right && one.best >= floor)));
        const rejected = mean(others.map((all) => mean(all.map(({ best }) => Number(best < floor)))));
        return (right + rejected) / 2;
      }),
    );
  const floors = Array.from({ length: Math.round(HIGHEST / STEP) }, (_, at) => at * STEP);
  const [best = 0] = floors.toSorted((a, b) => value(b) - value(a));
  const inForce = floorOf(trials[0]?.assistants.length ?? 0);
  return { best, inForce, atBest: value(best), atInForce: value(inForce) };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
