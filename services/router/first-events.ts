import { type Decision } from '../../shared/contracts/decision.ts';
import { type CacheStatus, type JobEvent, type RoutingCall } from '../../shared/contracts/job-event.ts';
import { type JobMessage } from '../../shared/contracts/job-message.ts';
import { TurnoutError } from '../../shared/platform/errors/turnout-error.ts';
import { roughTokens } from '../../shared/jobs/joblog/lost-call.ts';
import { type Logger } from '../../shared/platform/log/logger.ts';
import { type Picked } from './pick-assistant.ts';
import { type ContextPlan, roughPromptTokens } from './plan-context.ts';

/** The router's decisions about a job. */
export interface Decided {
  decision: Decision;
  /** The assistant and the model, or the reason why the job cannot be answered. */
  picked: Picked | TurnoutError;
  plan: ContextPlan;
  /** Milliseconds since the epoch. */
  routedAt: number;
  /** Whether the job's stages are timed. */
  detailed: boolean;
  /** The call to the model that selected the assistant. */
  call: RoutingCall | undefined;
}

/** The first events of the job log: accepted, routed, assistant. */
export function firstEvents(
  job: JobMessage,
  { decision, picked, plan, routedAt, detailed, call }: Decided,
  cache: CacheStatus | undefined,
): JobEvent[] {
  const { acceptedAt, model: asked, groups = [], quote } = job;
  const accepted = {
    ...({ type: 'accepted', at: acceptedAt, model: asked } as const),
    ...(groups.length === 0 ? {} : { groups }),
  };
  const routed = {
    ...({ type: 'routed', at: routedAt, ...decision } as const),
    ...(quote ? { quote } : {}),
    ...(cache ? { cache } : {}),
    ...(detailed ? { detailed } : {}),
    ...(call ? { call } : {}),
  };
  const promptTokens = roughPromptTokens(job, plan);
  if (picked instanceof TurnoutError) return [accepted, { ...routed, promptTokens }];
  const { model, event, assistant } = picked;
  const instructions = roughTokens(Buffer.byteLength(assistant?.instructions ?? ''));
  return [
    accepted,
    { ...routed, promptTokens: promptTokens + instructions, ...(model === job.model ? {} : { model }) },
    ...(event ? [event] : []),
  ];
}

export const MOST_FIRST_EVENTS = 3;

/** Logs the routing decision and the assistant selection. Called once for each job, even if its message is delivered several times. */
export function logDecision(
  log: Logger,
  { jobId, userHash, assistant }: JobMessage,
  { decision: { path, reason, epoch }, picked }: Pick<Decided, 'decision' | 'picked'>,
): void {
  const phrase = path === 'litellm' ? 'Using LiteLLM path' : 'Using legacy path';
  log.info({ jobId, userHash, reason, epoch }, phrase);
  if (!assistant) return;
  const { event } = picked instanceof TurnoutError ? {} : picked;
  if (event)
    log.info(
      { jobId, assistant: event.name, version: event.version, reason: event.reason },
      'Assistant chosen',
    );
  else
    log.info(
      { jobId, reason: picked instanceof TurnoutError ? picked.code : 'none fits' },
      'No assistant chosen',
    );
}
