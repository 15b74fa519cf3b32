import { expect, test } from '@jest/globals';
import { earlierPositions } from './kafka.ts';

test("a redelivery takes back the router's positions, and not the times at which it took them", () => {
  const watermarks = { '0': '1250', '0:at': '1790000000000', '11': '40' };
  expect(earlierPositions(watermarks)).toEqual(['0', 1_050, '11', 0]);
});
