import { type Entitlement } from '../../shared/policy/access/entitlement.ts';
import { type JobMessage } from '../../shared/contracts/job-message.ts';
import { type LlmJob } from '../../shared/contracts/flow.ts';
import { type DecidedJob } from '../../shared/jobs/queues/dispatch.ts';
import { estimatedTokens } from '../../shared/jobs/scheduling/job-cost.ts';
import { type Decided } from './first-events.ts';
import { type Picked } from './pick-assistant.ts';
import { roughPromptTokens } from './plan-context.ts';

export interface Routing extends Omit<Decided, 'detailed' | 'call'> {
  picked: Picked;
  traceparent: string | undefined;
  /** The cache key and version under which the answer is stored. */
  keepAs?: LlmJob['keepAs'];
  entitlement: Pick<Entitlement, 'weight' | 'concurrentJobs'>;
}

/** The job as it is dispatched: it contains everything that its workers need. */
export function toDecidedJob(
  job: JobMessage,
  { decision, picked, plan, routedAt, traceparent, keepAs, entitlement }: Routing,
): DecidedJob {
  const { jobId, user, groups = [], deadlineAt, question, caching } = job;
  const common = {
    version: 2,
    jobId,
    user,
    deadlineAt,
    groups,
    ...(traceparent === undefined ? {} : { traceparent }),
  } as const;
  const { userHash, acceptedAt, request, quote } = job;
  const { model, assistant } = picked;
  return {
    llm: {
      ...common,
      userHash,
      model,
      acceptedAt,
      decision,
      request,
      context: plan.expected,
      ...(assistant ? { assistant } : {}),
      ...(quote ? { quote } : {}),
      ...(keepAs ? { keepAs } : {}),
    },
    schedule: {
      priority: job.priority ?? 'interactive',
      cost: estimatedTokens(request, roughPromptTokens(job, plan)),
      weight: entitlement.weight,
      concurrentJobs: entitlement.concurrentJobs,
    },
    context: plan.children.map(({ pieces }) => ({ ...common, question, routedAt, caching, pieces })),
  };
}
