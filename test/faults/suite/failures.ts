import { type JobView } from '../../../shared/jobs/joblog/job-log.ts';
import { type Testimony } from './client.ts';
import { type Kind } from './plan.ts';

/** A job that ended with a typed error. */
export interface Failure {
  code: string;
  /** No better outcome was possible. */
  byDesign: boolean;
}

/** While LiteLLM is down no call can be made, and the retries end before it returns. */
const WITHOUT_LITELLM: ReadonlySet<string> = new Set([
  'upstream_unreachable',
  'upstream_failed',
  'upstream_cut',
]);

/** Undefined for a job that did not fail. */
export function failureOf(
  kind: Kind,
  { plan, question }: Testimony,
  view: Pick<JobView, 'entries'> | undefined,
): Failure | undefined {
  const failed = view?.entries.map(({ event }) => event).find(({ type }) => type === 'failed');
  if (failed?.type !== 'failed') return undefined;
  const { code } = failed.error;
  // The client has half of a JSON answer, which no other attempt can continue.
  const halfJson = code === 'attempt_lost' && plan.stream && 'response_format' in question.body;
  const overdue = kind === 'Redis away 60 s' && code === 'deadline_exceeded';
  return { code, byDesign: halfJson || overdue || (kind === 'stop LiteLLM' && WITHOUT_LITELLM.has(code)) };
}

/** How many of `jobs` jobs may fail although they need not: a deadline or the retries ran out because of the fault. */
export function mostFailures(jobs: number): number {
  return Math.max(2, Math.ceil(jobs * 0.02));
}
