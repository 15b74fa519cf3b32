import { z } from 'zod';
import { ofMajor, openEnum } from './tolerant.ts';

/**
 * `turnout.control`, version 1: what was commanded, by whom, and what became of it. Kept for ever: the audit. And
 * `turnout.control.state`, version 1: what is in force. Only the leader of the metrics service writes results and state.
 */
const epoch = z.int().min(0);
/** Milliseconds since the epoch. */
const at = z.int().min(0);
const texts = z.record(z.string(), z.string());
const why = z.string().min(1).max(1_000);
const user = z
  .string()
  .max(200)
  .regex(/^[^\s,]([^,]*[^\s,])?$/, 'must be a user id, without commas');

const actors = ['operator', 'env', 'judge', 'plan'] as const;

const ofUser = <const T extends string>(type: T) => z.strictObject({ type: z.literal(type), user });

export const instruction = z.discriminatedUnion('type', [
  /** Flags by name, as texts; an empty text: its default. */
  z.strictObject({ type: z.literal('set'), flags: texts }),
  /** Nobody is on LiteLLM by his share, until a `resume`. `evidence`: what the judge saw. */
  z.strictObject({ type: z.literal('rollback'), why, evidence: z.unknown().optional() }),
  /** The share does not grow, until a `resume`, or a `thaw` of who froze it. */
  z.strictObject({ type: z.literal('freeze'), why, evidence: z.unknown().optional() }),
  z.strictObject({ type: z.literal('thaw') }),
  z.strictObject({ type: z.literal('resume'), percentage: z.number().min(0).max(100).optional() }),
  ofUser('bypass'),
  ofUser('force'),
  /** Neither bypassed nor forced any more. */
  ofUser('release'),
  ofUser('clear_cache'),
  /** A plan: from one share of users to the next, each held for so long and until it is safe. */
  z.strictObject({
    type: z.literal('start'),
    steps: z.array(z.number().gt(0).max(100)).min(1).max(100),
    dwellMs: z.int().min(0),
  }),
  z.strictObject({ type: z.literal('stop') }),
  /** The plan's next step. */
  z.strictObject({ type: z.literal('advance'), evidence: z.unknown().optional() }),
]);
export type Instruction = z.infer<typeof instruction>;

export const controlCommand = z.strictObject({
  version: ofMajor(1),
  kind: z.literal('command'),
  id: z.string().regex(/^[0-9a-f]{32}$/, 'must be 32 hex digits'),
  at,
  actor: z.enum(actors),
  /** Who of the operators, as he says. */
  by: z.string().min(1).max(200).optional(),
  /** The epoch that it was decided under; refused under any other one. */
  under: epoch.optional(),
  instruction,
});
export type ControlCommand = z.infer<typeof controlCommand>;

export const controlResult = z.object({
  version: ofMajor(1),
  kind: z.literal('result'),
  /** Of the command; none where that could not be read. */
  command: z.string().optional(),
  /** Where in the topic the command stands. */
  offset: z.string().regex(/^\d+$/),
  at,
  status: openEnum(['applied', 'refused']),
  /** In force after it. */
  epoch,
  /** Why it was refused, or what an operator should know. */
  note: z.string().optional(),
});
export type ControlResult = z.infer<typeof controlResult>;

const latch = z.object({ epoch, at, actor: openEnum(actors), why });
export type Latch = z.infer<typeof latch>;

export const controlState = z.object({
  version: ofMajor(1),
  epoch,
  /** When the epoch began. */
  at,
  /** When its leader last said that it holds. */
  beatAt: at,
  /** Of the leader. */
  term: z.int().min(0),
  flags: texts,
  /** The leaders' environment as it was last taken over. */
  env: texts,
  /** For as long as the share of users on LiteLLM has been what it is. `segment`: days and steps of the rollout before it. */
  step: z.object({ epoch, at, segment: z.int().min(0) }),
  rolledBack: latch.optional(),
  frozen: latch.optional(),
  /** `next`: the step that an `advance` leads to. */
  plan: z.object({ steps: z.array(z.number()), dwellMs: z.int().min(0), next: z.int().min(1) }).optional(),
  /** The next offset of `turnout.control`. */
  position: z.string().regex(/^\d+$/),
  /** When Kafka took the newest command below it; milliseconds since the epoch. Absent in states of a version before it. */
  positionAt: z.int().optional(),
  /** What became of the last command that was looked at. */
  last: controlResult.optional(),
});
export type ControlState = z.infer<typeof controlState>;

export const CONTROL_TYPE = 'dev.turnout.control.v1';
export const CONTROL_STATE_TYPE = 'dev.turnout.control-state.v1';
