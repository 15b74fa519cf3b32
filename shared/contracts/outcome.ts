import { z } from 'zod';
import { errorCodes } from '../platform/errors/catalogue.ts';
import { decision } from './decision.ts';
import { tokenUsage } from './job-event.ts';
import { knownOr, ofMajor, openEnum } from './tolerant.ts';
import { jobId } from '../platform/ids.ts';

/**
 * A job's way in time: until a router has read it (Kafka); until a worker has begun its first attempt (queue and context); until the
 * first token of its answer; until its end.
 */
export const stage = z.enum(['routing', 'context', 'model', 'answer']);
export type Stage = z.infer<typeof stage>;

const usageRecord = z.object({
  /** `<job id>.<when it was accepted, ms>.<attempt>.<call>`: the same record has the same id, however often it is told. */
  id: z.string().min(1),
  source: knownOr(['reported', 'estimated'], 'estimated'),
  tokens: tokenUsage,
  cost: z.number().min(0).optional(),
});

/**
 * `turnout.events`, version 1: how one job ended. Written by the script that ends the job, so there is exactly one; it
 * may be published more than once, always under the same `id`.
 */
export const outcome = z.object({
  version: ofMajor(1),
  id: z.string().min(1),
  jobId,
  userHash: z.string().min(1),
  /** That the user belongs to, where he does to any. */
  groups: z.array(z.string()).optional(),
  model: z.string().min(1),
  /** Of a path that a later version has added, none: the job is billed all the same. */
  decision: decision.optional().catch(undefined),
  status: knownOr(['completed', 'failed', 'cancelled'], 'failed'),
  error: openEnum(errorCodes).optional(),
  /** How the path that the job was decided for failed it, and what became of that on the other one. */
  pathFailure: z
    .object({ error: openEnum(errorCodes), fallback: knownOr(['answered', 'failed', 'none'], 'none') })
    .optional(),
  /** The answer came from the user's cache; what that saved. */
  cached: z.object({ tokens: tokenUsage, cost: z.number().min(0).optional() }).optional(),
  /** How often a worker began the job. */
  attempts: z.int().min(0),
  at: z.int(),
  /** Milliseconds. `firstToken` and `total` count from acceptance. */
  ms: z.object({ total: z.number().min(0), firstToken: z.number().min(0).optional() }),
  /** Of jobs that are sampled for it; milliseconds, one stage after another. Those that a job did not come to are absent. */
  stages: z.partialRecord(stage, z.number().min(0)).optional().catch(undefined),
  /** One record for each call of the model that answers. */
  usage: z.array(usageRecord),
  /** Of the model that was asked for the assistant: call 1 of attempt 0. */
  routingUsage: usageRecord.optional(),
});
export type Outcome = z.infer<typeof outcome>;
