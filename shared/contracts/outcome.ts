import { z } from 'zod';
import { errorCodes } from '../platform/errors/catalogue.ts';
import { decision } from './decision.ts';
import { tokenUsage } from './job-event.ts';
import { knownOr, ofMajor, openEnum } from './tolerant.ts';
import { jobId } from '../platform/ids.ts';

/**
 * The stages of a job, by what ends them. `routing`: a router has read the job from Kafka. `context`: a worker has begun the
 * first attempt (queue and context). `model`: the first token has arrived. `answer`: the job has ended.
 */
export const stage = z.enum(['routing', 'context', 'model', 'answer']);
export type Stage = z.infer<typeof stage>;

const usageRecord = z.object({
  /** `<job id>.<acceptance time, ms>.<attempt>.<call>`. A record that is published again keeps its id. */
  id: z.string().min(1),
  source: knownOr(['reported', 'estimated'], 'estimated'),
  tokens: tokenUsage,
  cost: z.number().min(0).optional(),
});

/**
 * A message of `turnout.events`, version 1: how one job ended. The script that ends the job writes it, so each job has exactly
 * one outcome. It may be published more than once, always with the same `id`.
 */
export const outcome = z.object({
  version: ofMajor(1),
  id: z.string().min(1),
  jobId,
  userHash: z.string().min(1),
  /** The user's groups, if any. */
  groups: z.array(z.string()).optional(),
  model: z.string().min(1),
  /** Undefined if the backend is one that a later release has added; the job is billed nevertheless. */
  decision: decision.optional().catch(undefined),
  status: knownOr(['completed', 'failed', 'cancelled'], 'failed'),
  error: openEnum(errorCodes).optional(),
  /** The error of the backend that the job was assigned to, and the result of the fallback to the other backend. */
  pathFailure: z
    .object({ error: openEnum(errorCodes), fallback: knownOr(['answered', 'failed', 'none'], 'none') })
    .optional(),
  /** Set if the answer came from the user's cache: the tokens and US dollars saved. */
  cached: z.object({ tokens: tokenUsage, cost: z.number().min(0).optional() }).optional(),
  /** How many times a worker began the job. */
  attempts: z.int().min(0),
  at: z.int(),
  /** Milliseconds. `firstToken` and `total` count from acceptance. */
  ms: z.object({ total: z.number().min(0), firstToken: z.number().min(0).optional() }),
  /** Duration of each stage in milliseconds, for sampled jobs only. Stages that the job did not reach are absent. */
  stages: z.partialRecord(stage, z.number().min(0)).optional().catch(undefined),
  /** One record for each call of the answering model. */
  usage: z.array(usageRecord),
  /** The call of the model that selected the assistant; recorded as call 1 of attempt 0. */
  routingUsage: usageRecord.optional(),
});
export type Outcome = z.infer<typeof outcome>;
