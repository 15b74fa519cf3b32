import { createLexicalIndex } from '../../services/router/assistants/lexical-index.ts';
import { createSelector } from '../../services/router/assistants/select-assistant.ts';
import type { Trial } from './registries.ts';
import type { Query } from './clinc.ts';

/** Shares from 0 to 1. */
export interface AssistantQuality {
  /** Share of the requests for an assistant for which the right one has the best score, however low that is. */
  bestIsRight: number;
  /** Probability that a request for an assistant has a better score than a request for none. */
  auroc: number;
  /** Shares of the requests for an assistant that get the right and a wrong assistant, with floor and margin applied. */
  right: number;
  wrong: number;
  /** Share of the requests for none for which no assistant is selected. */
  outsideRecall: number;
  /** Share of requests for none among all requests for which no assistant is selected. */
  outsidePrecision: number;
  /** Like `outsideRecall`, for requests whose intent has no assistant in this registry; undefined if all intents have one. */
  nearRecall: number | undefined;
}

export function measureQuality(trial: Trial): AssistantQuality {
  const { inScope, outside, near } = trial;
  const scored = scorer(trial);
  const ours = inScope.map(scored);
  const others = outside.map(scored);
  const choose = chooser(trial);
  const chosen = inScope.map(choose);
  const right = chosen.filter((name, at) => name === inScope[at]?.[1]).length;
  const rejectedOurs = count(chosen, undefined);
  const rejectedOthers = count(outside.map(choose), undefined);
  return {
    bestIsRight: share(ours.filter((one) => one.right).length, ours.length),
    auroc: auroc(
      ours.map(({ best }) => best),
      others.map(({ best }) => best),
    ),
    right: share(right, inScope.length),
    wrong: share(inScope.length - right - rejectedOurs, inScope.length),
    outsideRecall: share(rejectedOthers, outside.length),
    outsidePrecision: share(rejectedOthers, rejectedOthers + rejectedOurs),
    nearRecall: near.length === 0 ? undefined : share(count(near.map(choose), undefined), near.length),
  };
}

interface Scored {
  right: boolean;
  best: number;
}

export function scorer({ assistants }: Pick<Trial, 'assistants'>): (query: Query) => Scored {
  const index = createLexicalIndex(assistants.map(({ examples }) => examples));
  return ([text, intent]) => {
    const scores = index.score(text);
    const best = Math.max(...scores);
    return { best, right: assistants[scores.indexOf(best)]?.name === intent };
  };
}

function chooser({ assistants }: Trial): (query: Query) => string | undefined {
  const selector = createSelector(assistants);
  const user = { user: 'anybody', groups: [] };
  return ([question]) => selector.select({ question, documents: [], user })?.assistant.name;
}

/** The area under the ROC curve, from the rank sum (Mann and Whitney). Ties count half. */
export function auroc(positive: readonly number[], negative: readonly number[]): number {
  const below = negative.toSorted((a, b) => a - b);
  let sum = 0;
  for (const value of positive)
    sum += (firstAt(below, (one) => one >= value) + firstAt(below, (one) => one > value)) / 2;
  return share(sum, positive.length * negative.length);
}

/** Binary search: the index of the first value for which `isPast` is true. */
function firstAt(sorted: readonly number[], isPast: (value: number) => boolean): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isPast(sorted[middle] ?? Infinity)) high = middle;
    else low = middle + 1;
  }
  return low;
}

function count<T>(all: readonly T[], one: T): number {
  return all.filter((other) => other === one).length;
}

function share(part: number, whole: number): number {
  return whole === 0 ? 0 : Math.round((part / whole) * 10_000) / 10_000;
}

/** The mean of each figure over several trials of one shape. */
export function meanOf(all: readonly AssistantQuality[]): AssistantQuality {
  const mean = (of: (quality: AssistantQuality) => number): number =>
    share(
      all.reduce((sum, one) => sum + of(one), 0),
      all.length,
    );
  return {
    bestIsRight: mean((one) => one.bestIsRight),
    auroc: mean((one) => one.auroc),
    right: mean((one) => one.right),
    wrong: mean((one) => one.wrong),
    outsideRecall: mean((one) => one.outsideRecall),
    outsidePrecision: mean((one) => one.outsidePrecision),
    nearRecall: all.some((one) => one.nearRecall === undefined)
      ? undefined
      : mean((one) => one.nearRecall ?? 0),
  };
}
