/** A check that a release must pass and that takes too long for CI: a script of package.json, with its variables. */
export interface VerifyStep {
  name: string;
  command: string;
  env?: Readonly<Record<string, string>>;
}

export const steps: readonly VerifyStep[] = [
  { name: 'checkouts', command: 'checkouts' },
  { name: 'upgrade', command: 'upgrade' },
  { name: 'compare', command: 'compare' },
  { name: 'fuzz', command: 'fuzz' },
  { name: 'streams', command: 'streams' },
  { name: 'fairness', command: 'fairness' },
  { name: 'overload', command: 'overload' },
  { name: 'neighbours', command: 'neighbours' },
  { name: 'rollback', command: 'rollback' },
  { name: 'simulate', command: 'simulate' },
  { name: 'faults', command: 'faults', env: { FULL: '1' } },
  { name: 'soak', command: 'soak', env: { FULL: '1' } },
];

/** The steps that STEPS lists, separated by commas; all if it is empty. Throws an error that names unknown steps. */
export function chosenSteps(text: string | undefined): readonly VerifyStep[] {
  if (text === undefined || text === '') return steps;
  const names = text.split(',').map((name) => name.trim());
  const unknown = names.filter((name) => !steps.some((step) => step.name === name));
  if (unknown.length > 0)
    throw new Error(
      `Unknown steps in STEPS: ${unknown.join(', ')}. The steps are: ${steps.map(({ name }) => name).join(', ')}`,
    );
  return steps.filter(({ name }) => names.includes(name));
}

export interface StepOutcome {
  name: string;
  passed: boolean;
  seconds: number;
  /** The commit that passed or failed. */
  commit: string;
  at: string;
}

/** One outcome for each step, only for this commit. New outcomes replace earlier ones. */
export function mergeOutcomes(
  earlier: readonly StepOutcome[],
  now: readonly StepOutcome[],
  commit: string,
): StepOutcome[] {
  return steps.flatMap(({ name }) => {
    const of = (all: readonly StepOutcome[]) => all.find((one) => one.name === name && one.commit === commit);
    return of(now) ?? of(earlier) ?? [];
  });
}

/** The steps that have not passed, as text. If empty, the commit may be released. */
export function missing(outcomes: readonly StepOutcome[]): string[] {
  return steps.flatMap(({ name }) => {
    const outcome = outcomes.find((one) => one.name === name);
    if (outcome?.passed) return [];
    return [outcome ? `${name} failed` : `${name} was not run on this commit`];
  });
}
