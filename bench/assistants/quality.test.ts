import { expect, test } from '@jest/globals';
import { auroc, measureQuality } from './quality.ts';
import { toRegistry, toTrial } from './registries.ts';
import { generator } from '../../test/upstream/core/random.ts';
import { readClinc } from './clinc.ts';

test.each([
  [[2, 3], [0, 1], 1],
  [[0, 1], [2, 3], 0],
  [[1, 1], [1, 1], 0.5],
  [[1, 3], [2], 0.5],
  [[1, 2], [1], 0.75],
])('the area under the curve of %j over %j is %d', (positive, negative, expected) => {
  expect(auroc(positive, negative)).toBe(expected);
});

test('requests are told apart from those that no assistant is for, on a data set that the choice was not made with', () => {
  const data = readClinc();
  const assistants = toRegistry(data, { assistants: 10, examples: 20 }, generator(1));
  const trial = toTrial(assistants, data.test, data.oos_test);
  expect(trial.inScope).toHaveLength(10 * 30);
  expect(trial.near).toHaveLength(140 * 30);
  const quality = measureQuality(trial);
  expect(quality.bestIsRight).toBeGreaterThan(0.85);
  expect(quality.auroc).toBeGreaterThan(0.9);
  expect(quality.outsideRecall).toBeGreaterThan(0.85);
  expect(quality.right + quality.wrong).toBeLessThanOrEqual(1);
});
