import { expect, test } from '@jest/globals';
import { chosenSteps, mergeOutcomes, missing, type StepOutcome, steps } from './steps.ts';

const outcome = (name: string, passed: boolean, commit = 'a'): StepOutcome => ({
  name,
  passed,
  commit,
  seconds: 1,
  at: '',
});

test('steps are chosen by their names', () => {
  expect(chosenSteps('')).toEqual(steps);
  expect(chosenSteps('soak, faults').map(({ name }) => name)).toEqual(['faults', 'soak']);
  expect(() => chosenSteps('nap')).toThrow(/Unknown steps in STEPS: nap. The steps are: checkouts/);
});

test('a commit may be released when each step has passed on it, in any run', () => {
  const earlier = steps.map(({ name }) => outcome(name, name !== 'soak'));
  expect(missing(mergeOutcomes(earlier, [], 'a'))).toEqual(['soak failed']);
  expect(missing(mergeOutcomes(earlier, [outcome('soak', true)], 'a'))).toEqual([]);
  expect(missing(mergeOutcomes(earlier, [outcome('soak', true, 'b')], 'b'))).toHaveLength(steps.length - 1);
});
