import { writeSync } from 'node:fs';

/** The part of Jest's aggregated result that is counted here. */
interface Counts {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numRuntimeErrorTestSuites: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
}

/** `3 passed, 0 failed`, and `, 1 skipped` if there are any. A test file that could not run at all counts as one failure. */
export function countLine(counts: Counts): string {
  const failed = counts.numFailedTests + counts.numRuntimeErrorTestSuites;
  const skipped = counts.numPendingTests + counts.numTodoTests;
  return `${counts.numPassedTests} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}

/** A Jest reporter that ends the output of a run with its counts, alone on the last line, where scripts look for them. */
export default class CountReporter {
  onRunComplete(_contexts: unknown, results: Counts): void {
    // At exit, because the summaries of other reporters and the global teardown come after this call.
    process.once('exit', () => writeSync(process.stdout.fd, `\n${countLine(results)}\n`));
  }
}
