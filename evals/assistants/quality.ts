import { createLexicalIndex } from '../../services/router/assistants/lexical-index.ts';
import { createSelector } from '../../services/router/assistants/select-assistant.ts';
import type { Trial } from './registries.ts';
import type { Query } from './clinc.ts';

/** Shares from 0 to 1. */
export interface AssistantQuality {
  /** Of the requests that are for an assistant: the right one has the best score, whatever it is. */
  bestIsRight: number;
  /** Probability that a request for an assistant has a better score than one that is for none. */
  auroc: number;
  /** Of the requests that are for an assistant, with floor and margin. */
  right: number;
  wrong: number;
  /** Of the requests that are for none: those that no assistant was chosen for. */
  outsideRecall: number;
  /** Of all that no assistant was chosen for: those that were for none. */
  outsidePrecision: number;
  /** Like `outsideRecall`, of requests for assistants that are not there; undefined where all are. */
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

/** The area under the ROC curve, by the sum of ranks (Mann and Whitney); equals count half. */
export function auroc(positive: readonly number[], negative: readonly number[]): number {
  const below = negative.toSorted((a, b) => a - b);
  let sum = 0;
  for (const value of positive)
    sum += (firstAt(below, (one) => one >= value) + firstAt(below, (one) => one > value)) / 2;
  return share(sum, positive.length * negative.length);
}

/** By halving: where the values begin of which `isPast` is true. */
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

/** Of several trials of one shape, figure by figure. */
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
