import { describe, expect, test } from '@jest/globals';
import { type Document } from '../../shared/contracts/job-message.ts';
import { type ContextRules, type KnownSource, planContext, type PlannedJob } from './plan-context.ts';

const NOW = 1_000_000;
const text = (index: number): Document => ({
  index,
  name: `${index}.txt`,
  mediaType: 'text/plain',
  content: { kind: 'inline', text: 'Words.' },
});
const source = (name: string, changes: Partial<KnownSource> = {}): KnownSource => ({
  name,
  required: false,
  always: false,
  timeoutMs: 2_000,
  tokens: 500,
  ...changes,
});
const rules: ContextRules = {
  parallel: true,
  documentTokens: 6_000,
  historyTokens: undefined,
  sources: [source('wiki', { always: true }), source('law', { required: true }), source('tickets')],
};
const long = 'word '.repeat(2_000);
const job = (changes: Partial<PlannedJob> = {}): PlannedJob => ({
  documents: [text(0), text(1)],
  request: { kind: 'inline', request: { model: 'm', messages: [{ role: 'user', content: long }] } },
  deadlineAt: NOW + 60_000,
  truncation: undefined,
  ...changes,
});
const about = { model: 'm', sources: ['law'], now: NOW };
const names = (plan: ReturnType<typeof planContext>) =>
  plan.children.map(({ pieces }) => pieces.map(({ piece }) => piece));

describe('planContext', () => {
  test('each piece has its own child; documents are required, sources as configured', () => {
    const plan = planContext(job(), about, rules);
    expect(names(plan)).toEqual([['document-0'], ['document-1'], ['source-wiki'], ['source-law']]);
    expect(plan.expected).toEqual([
      { piece: 'document-0', required: true },
      { piece: 'document-1', required: true },
      { piece: 'source-wiki', required: false },
      { piece: 'source-law', required: true },
    ]);
  });

  test('without parallel fetching one child has the same pieces, in the same order', () => {
    const plan = planContext(job(), about, { ...rules, parallel: false });
    expect(names(plan)).toEqual([['document-0', 'document-1', 'source-wiki', 'source-law']]);
    expect(plan.expected).toEqual(planContext(job(), about, rules).expected);
  });

  test.each([true, false])('a job without context has no child (parallel: %s)', (parallel) => {
    const plan = planContext(
      job({ documents: [] }),
      { ...about, sources: [] },
      { ...rules, parallel, sources: [] },
    );
    expect(plan).toEqual({ children: [], expected: [] });
  });

  test('no piece takes more than half of the remaining time', () => {
    const shares = (deadlineAt: number) =>
      planContext(job({ deadlineAt }), about, rules).children.map(({ pieces }) => pieces[0]?.shareMs);
    expect(shares(NOW + 60_000)).toEqual([30_000, 30_000, 2_000, 2_000]);
    expect(shares(NOW + 1_000)).toEqual([500, 500, 500, 500]);
    expect(shares(NOW - 5)).toEqual([1, 1, 1, 1]);
  });

  test('documents share their tokens, but none gets less than a passage needs', () => {
    const budgets = (count: number) =>
      planContext(job({ documents: Array.from({ length: count }, (_, at) => text(at)) }), about, rules)
        .children.flatMap(({ pieces }) => pieces)
        .flatMap((piece) => (piece.kind === 'document' ? [piece.budget] : []));
    expect(budgets(2)).toEqual([3_000, 3_000]);
    expect(new Set(budgets(100))).toEqual(new Set([400]));
  });

  describe('the history', () => {
    const historyOf = (changes: Partial<PlannedJob>, historyTokens?: number) =>
      planContext(job(changes), about, { ...rules, historyTokens })
        .children.flatMap(({ pieces }) => pieces)
        .find(({ kind }) => kind === 'history');

    test.each([
      ['there is no limit', {}, undefined, false],
      ['the client allows it', { truncation: 'auto' }, undefined, true],
      ['the operator limits it', {}, 1_000, true],
      ['the client forbids it, although the operator limits it', { truncation: 'disabled' }, 1_000, false],
      ['all of it fits, judged by its size', {}, 20_000, false],
    ] as const)('when %s', (_when, changes, historyTokens, planned) => {
      expect(historyOf(changes, historyTokens) !== undefined).toBe(planned);
    });

    test('gets the token budget of the other pieces, and is not required', () => {
      const plan = planContext(job({ truncation: 'auto' }), about, rules);
      expect(plan.children[0]?.pieces).toMatchObject([{ kind: 'history', beside: 7_000, model: 'm' }]);
      expect(plan.expected[0]).toEqual({ piece: 'history', required: false });
    });
  });
});
