import { expect, test } from '@jest/globals';
import { countLine } from './count-reporter.ts';

const none = {
  numPassedTests: 0,
  numFailedTests: 0,
  numRuntimeErrorTestSuites: 0,
  numPendingTests: 0,
  numTodoTests: 0,
};

test.each([
  ['only passes', { ...none, numPassedTests: 3 }, '3 passed, 0 failed'],
  [
    'skipped and todo tests',
    { ...none, numPassedTests: 1, numPendingTests: 1, numTodoTests: 1 },
    '1 passed, 0 failed, 2 skipped',
  ],
  [
    'a test file that could not run',
    { ...none, numFailedTests: 1, numRuntimeErrorTestSuites: 1 },
    '0 passed, 2 failed',
  ],
])('%s', (_case, counts, line) => expect(countLine(counts)).toBe(line));
