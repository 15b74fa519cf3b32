import { createSelector } from '../../services/router/assistants/select-assistant.ts';
import type { Assistant } from '../../shared/content/assistants/assistant-file.ts';
import { type Percentiles, percentilesOf } from '../../bench/measure/percentiles.ts';
import type { Query } from './clinc.ts';

/** Milliseconds. */
export interface Speed {
  /** Time to prepare the selector for all assistants. */
  prepare: number;
  /** For a request of the data set, about 40 characters. */
  short: Percentiles;
  /** For 4,000 characters, the maximum length of a question. */
  long: Percentiles;
}

const LONG = 4_000;

/** Measures on one thread, one request after the other. Each assistant has a pattern in addition to its examples. */
export function measureSpeed(
  assistants: readonly Assistant[],
  warmUp: readonly Query[],
  asked: readonly Query[],
): Speed {
  const startedAt = performance.now();
  const selector = createSelector(
    assistants.map((one) => ({ ...one, patterns: [`\\b${one.name.replaceAll('_', '\\W+')}\\b`] })),
  );
  const prepare = Math.round(performance.now() - startedAt);
  const user = { user: 'anybody', groups: [] };
  const timed = (question: string): number => {
    const begun = performance.now();
    selector.select({ question, documents: [], user });
    return performance.now() - begun;
  };
  const questions = asked.map(([text]) => text);
  for (const [text] of warmUp) timed(text);
  const short = percentilesOf(questions.map(timed));
  const long = percentilesOf(longOnes(questions).map(timed));
  return { prepare, short, long };
}

/** Long texts: slices of all requests joined together, each from another position. */
function longOnes(questions: readonly string[]): string[] {
  const all = questions.join('. ');
  return Array.from({ length: 1_000 }, (_, at) => {
    const begin = Math.floor((at * (all.length - LONG)) / 1_000);
    return all.slice(begin, begin + LONG);
  });
}
