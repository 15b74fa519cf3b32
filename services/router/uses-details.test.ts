import { expect, test } from '@jest/globals';
import { newJobId } from '../../shared/platform/ids.ts';
import { usesDetails } from './uses-details.ts';

const ids = Array.from({ length: 2_000 }, (_, index) => newJobId('secret', 'user', String(index)));
const sampled = (ENABLE_DETAILED_METRICS: boolean, METRICS_SAMPLING_RATE: number) =>
  ids.filter((id) => usesDetails({ ENABLE_DETAILED_METRICS, METRICS_SAMPLING_RATE }, id)).length;

test.each([
  [true, 100, 2_000, 2_000],
  [true, 25, 440, 560],
  [true, 0, 0, 0],
  [false, 100, 0, 0],
])('enabled: %s, %d%% of the jobs: %d to %d of 2,000', (enabled, rate, least, most) => {
  expect(sampled(enabled, rate)).toBeGreaterThanOrEqual(least);
  expect(sampled(enabled, rate)).toBeLessThanOrEqual(most);
});
