import { expect, test } from '@jest/globals';
import { earlierPositions } from './kafka.ts';

test("a redelivery resets the router's offsets, but not their timestamps", () => {
  const watermarks = { '0': '1250', '0:at': '1790000000000', '11': '40' };
  expect(earlierPositions(watermarks)).toEqual(['0', 1_050, '11', 0]);
});
