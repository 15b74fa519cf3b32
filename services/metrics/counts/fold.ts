import { PICODOLLARS } from '../../../shared/policy/usage/ledger-sections.ts';
import { type Outcome, type Stage } from '../../../shared/contracts/outcome.ts';
import { bucketField, field, type BackendLabel, sumField } from './fields.ts';
import { bucketOf } from './histogram.ts';

/** The additions of some outcomes to the counts: name -> integer. */
export type Delta = Map<string, number>;

export function fold(outcomes: readonly Outcome[]): Delta {
  const delta: Delta = new Map();
  for (const outcome of outcomes) addOutcome(delta, outcome);
  return delta;
}

export function add(delta: Delta, name: string, by: number): void {
  if (by !== 0) delta.set(name, (delta.get(name) ?? 0) + by);
}

function addOutcome(delta: Delta, outcome: Outcome): void {
  const backend = outcome.cached ? 'cache' : (outcome.decision?.path ?? 'none');
  add(delta, field.events('counted'), 1);
  add(delta, field.jobs(backend, outcome.status), 1);
  add(delta, field.attempts(backend), outcome.attempts);
  if (outcome.status === 'failed') add(delta, field.errors(backend, outcome.error ?? 'internal_error'), 1);
  addDuration(delta, field.latency(backend, outcome.status), outcome.ms.total);
  if (outcome.ms.firstToken !== undefined)
    addDuration(delta, field.firstToken(backend), outcome.ms.firstToken);
  for (const [stage, ms] of Object.entries(outcome.stages ?? {}) as [Stage, number][])
    addDuration(delta, field.stage(backend, stage), ms);
  addUsage(delta, backend, outcome);
  if (outcome.cached) addSaved(delta, outcome.cached);
}

function addSaved(delta: Delta, { tokens, cost = 0 }: NonNullable<Outcome['cached']>): void {
  add(delta, field.savedTokens('prompt'), tokens.prompt_tokens);
  add(delta, field.savedTokens('completion'), tokens.completion_tokens);
  add(delta, field.savedCost(), Math.round(cost * PICODOLLARS));
}

function addDuration(delta: Delta, histogram: string, ms: number): void {
  add(delta, bucketField(histogram, bucketOf(ms)), 1);
  add(delta, sumField(histogram), Math.round(ms * 1_000));
}

/** Whether an answer has neither reported nor estimated usage. */
export function isUnpaid({ usage, status, cached }: Outcome): boolean {
  return status === 'completed' && usage.length === 0 && !cached;
}

function addUsage(delta: Delta, backend: BackendLabel, outcome: Outcome): void {
  const { usage, routingUsage } = outcome;
  if (isUnpaid(outcome)) add(delta, field.withoutUsage(backend), 1);
  for (const { source, tokens, cost } of [...usage, ...(routingUsage ? [routingUsage] : [])]) {
    add(delta, field.tokens(backend, source, 'prompt'), tokens.prompt_tokens);
    add(delta, field.tokens(backend, source, 'completion'), tokens.completion_tokens);
    add(delta, field.cost(backend, source), Math.round((cost ?? 0) * PICODOLLARS));
  }
}
