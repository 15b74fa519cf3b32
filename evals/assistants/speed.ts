import { createSelector } from '../../services/router/assistants/select-assistant.ts';
import type { Assistant } from '../../shared/content/assistants/assistant-file.ts';
import { type Percentiles, percentilesOf } from '../../bench/measure/percentiles.ts';
import type { Query } from './clinc.ts';

/** Milliseconds. */
export interface Speed {
  /** To prepare the choice among all. */
  prepare: number;
  /** Of a request of the data set, about 40 characters. */
  short: Percentiles;
  /** Of 4,000 characters, more than which no question has. */
  long: Percentiles;
}

const LONG = 4_000;

/** One thread, one request after another; each assistant has a pattern beside its examples. */
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

/** Requests one after another until each is long; every one begins with another request. */
function longOnes(questions: readonly string[]): string[] {
  const all = questions.join('. ');
  return Array.from({ length: 1_000 }, (_, at) => {
    const begin = Math.floor((at * (all.length - LONG)) / 1_000);
    return all.slice(begin, begin + LONG);
  });
}
