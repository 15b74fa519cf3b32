import { writeSync } from 'node:fs';
import type { AggregatedResult, Reporter, TestContext } from '@jest/reporters';

type Counts = Pick<
  AggregatedResult,
  'numPassedTests' | 'numFailedTests' | 'numRuntimeErrorTestSuites' | 'numPendingTests' | 'numTodoTests'
>;

/** `3 passed, 0 failed`, and `, 1 skipped` if there are any. A test file that could not run at all counts as one failure. */
export function countLine(counts: Counts): string {
  const failed = counts.numFailedTests + counts.numRuntimeErrorTestSuites;
  const skipped = counts.numPendingTests + counts.numTodoTests;
  return `${counts.numPassedTests} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}

/** Ends the output of a test run with its counts, alone on the last line, where scripts look for them. */
export default class CountReporter implements Pick<Reporter, 'onRunComplete'> {
  onRunComplete(_contexts: Set<TestContext>, results: AggregatedResult): void {
    // At exit, because the summaries of other reporters and the global teardown come after this call.
    process.once('exit', () => writeSync(process.stdout.fd, `\n${countLine(results)}\n`));
  }
}
