import { writeSync } from 'node:fs';

/** The fields of Jest's aggregated result that this reporter uses. */
interface Counts {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numRuntimeErrorTestSuites: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
}

/** For example `3 passed, 0 failed`, with `, 1 skipped` if any. A test file that could not run at all counts as one failure. */
export function countLine(counts: Counts): string {
  const failed = counts.numFailedTests + counts.numRuntimeErrorTestSuites;
  const skipped = counts.numPendingTests + counts.numTodoTests;
  return `${counts.numPassedTests} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}

/** A Jest reporter that prints the counts as the last line of a run's output, where scripts look for them. */
export default class CountReporter {
  onRunComplete(_contexts: unknown, results: Counts): void {
    // At exit, because other reporters print their summaries, and the global teardown runs, after this call.
    process.once('exit', () => writeSync(process.stdout.fd, `\n${countLine(results)}\n`));
  }
}
