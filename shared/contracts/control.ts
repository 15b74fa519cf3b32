import { z } from 'zod';
import { ofMajor, openEnum } from './tolerant.ts';

/**
 * Two topics, both version 1. `turnout.control` holds every command, its author and its result; it is the audit trail and
 * never expires. `turnout.control.state` holds the state in force. Only the leader of the metrics service writes results and
 * state.
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
  /** Flags by name, with their values as text. An empty text resets the flag to its default. */
  z.strictObject({ type: z.literal('set'), flags: texts }),
  /** Until a `resume`, the percentage puts no user on LiteLLM. `evidence`: the measurements behind the judge's decision. */
  z.strictObject({ type: z.literal('rollback'), why, evidence: z.unknown().optional() }),
  /** The percentage cannot grow until a `resume`, or a `thaw` by the actor that froze it. */
  z.strictObject({ type: z.literal('freeze'), why, evidence: z.unknown().optional() }),
  z.strictObject({ type: z.literal('thaw') }),
  z.strictObject({ type: z.literal('resume'), percentage: z.number().min(0).max(100).optional() }),
  ofUser('bypass'),
  ofUser('force'),
  /** Removes the user from both the bypass list and the forced list. */
  ofUser('release'),
  ofUser('clear_cache'),
  /** Starts a plan that raises the percentage step by step. Each step lasts at least `dwellMs` and until the judge calls it safe. */
  z.strictObject({
    type: z.literal('start'),
    steps: z.array(z.number().gt(0).max(100)).min(1).max(100),
    dwellMs: z.int().min(0),
  }),
  z.strictObject({ type: z.literal('stop') }),
  /** Moves the plan to its next step. */
  z.strictObject({ type: z.literal('advance'), evidence: z.unknown().optional() }),
]);
export type Instruction = z.infer<typeof instruction>;

export const controlCommand = z.strictObject({
  version: ofMajor(1),
  kind: z.literal('command'),
  id: z.string().regex(/^[0-9a-f]{32}$/, 'must be 32 hex digits'),
  at,
  actor: z.enum(actors),
  /** The operator's name as they gave it; not verified. */
  by: z.string().min(1).max(200).optional(),
  /** The epoch in which the sender decided. The leader refuses the command in any other epoch. */
  under: epoch.optional(),
  instruction,
});
export type ControlCommand = z.infer<typeof controlCommand>;

export const controlResult = z.object({
  version: ofMajor(1),
  kind: z.literal('result'),
  /** The command's id; absent when the command could not be parsed. */
  command: z.string().optional(),
  /** The command's offset in the topic. */
  offset: z.string().regex(/^\d+$/),
  at,
  status: openEnum(['applied', 'refused']),
  /** The epoch in force after the command. */
  epoch,
  /** Why the command was refused, or a remark for the operator. */
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
  /** When the leader last confirmed this state. */
  beatAt: at,
  /** The leader's term. */
  term: z.int().min(0),
  flags: texts,
  /** The flags from the leader's environment when the leader last adopted them. */
  env: texts,
  /** The current step: when the percentage last changed. `segment`: how many days and steps of the rollout came before it. */
  step: z.object({ epoch, at, segment: z.int().min(0) }),
  rolledBack: latch.optional(),
  frozen: latch.optional(),
  /** `next`: the step that the next `advance` moves to. */
  plan: z.object({ steps: z.array(z.number()), dwellMs: z.int().min(0), next: z.int().min(1) }).optional(),
  /** The next offset of `turnout.control`. */
  position: z.string().regex(/^\d+$/),
  /** Kafka timestamp of the newest command below `position`, in milliseconds since the epoch. Absent in older states. */
  positionAt: z.int().optional(),
  /** The result of the last command that was processed. */
  last: controlResult.optional(),
});
export type ControlState = z.infer<typeof controlState>;

export const CONTROL_TYPE = 'dev.turnout.control.v1';
export const CONTROL_STATE_TYPE = 'dev.turnout.control-state.v1';
