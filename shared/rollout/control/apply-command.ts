import { type ControlCommand, type ControlState, type Instruction } from '../../contracts/control.ts';
import {
  type Flags,
  type FlagTexts,
  litellmPercentage,
  readFlags,
  textsOf,
} from '../../platform/config/flags.ts';

/** The state after a command, or why the command was refused. `note`: a remark for the sender. */
export type Applied = { state: ControlState; note?: string } | { refused: string };

const DAY_MS = 86_400_000;

/** The state before the first command: the defaults of all flags, at epoch 0. */
export function initialState(): ControlState {
  return {
    version: 1,
    epoch: 0,
    at: 0,
    beatAt: 0,
    term: 0,
    flags: {},
    env: {},
    position: '0',
    step: { epoch: 0, at: 0, segment: 0 },
  };
}

/** The flags of a state. Ignores flags that only a newer release knows. Throws if a value is invalid, which no valid state has. */
export function flagsOf({ flags }: Pick<ControlState, 'flags'>): Flags {
  const known = Object.keys(textsOf(DEFAULTS));
  const read = readFlags(Object.fromEntries(Object.entries(flags).filter(([name]) => known.includes(name))));
  if (Array.isArray(read)) throw new Error(`The control state is not valid: ${read.join('; ')}`);
  return read;
}

const DEFAULTS = readFlags({}) as Flags;

/** The percentage of users on LiteLLM that is in force: 0 after a rollback. */
export function shareInForce(state: Pick<ControlState, 'flags' | 'rolledBack'>): number {
  const flags = flagsOf(state);
  return state.rolledBack || !flags.ENABLE_LITELLM ? 0 : litellmPercentage(flags);
}

/**
 * The state machine of a rollout: (held | growing | frozen | rolled back). Pure; the only function that changes a state.
 *
 * rolled back: a latch over the flags. The percentage in force stays 0 until `resume`, even if flags are set. A rollback ends the plan.
 * frozen: the percentage may fall but not grow.
 * Each change raises the epoch by one. A command that was decided in another epoch than the one in force is refused, so that if two
 * judges see the same figures, only one of them acts.
 */
export function applyCommand(
  state: ControlState,
  { actor, under, instruction }: Pick<ControlCommand, 'actor' | 'under' | 'instruction'>,
  now: number,
): Applied {
  if (under !== undefined && under !== state.epoch)
    return { refused: `the command was decided in epoch ${under}, but epoch ${state.epoch} is in force` };
  const change = changeBy(state, actor, instruction);
  if ('refused' in change) return change;
  if (!change.to) return { state, ...(change.note === undefined ? {} : { note: change.note }) };
  const epoch = state.epoch + 1;
  const latch = (why: string) => ({ epoch, at: now, actor, why });
  const { rolledBack, frozen, ...to } = change.to;
  const kept = without(state, change.ends ?? []);
  const changed = {
    ...kept,
    ...to,
    epoch,
    at: now,
    ...(rolledBack === undefined ? {} : { rolledBack: latch(rolledBack) }),
    ...(frozen === undefined ? {} : { frozen: latch(frozen) }),
  };
  const refused = growthRefused(state, changed, instruction);
  if (refused !== undefined) return { refused };
  const next = { ...withoutOverriddenPlan(state, changed, instruction), step: stepOf(state, changed, now) };
  return { state: next, ...noteOf(change.note, changed, instruction) };
}

type Ended = 'rolledBack' | 'frozen' | 'plan';

interface Change {
  /** Undefined: nothing changes, so no new epoch begins. */
  to?: Partial<Pick<ControlState, 'flags' | 'env' | 'plan'>> & { rolledBack?: string; frozen?: string };
  ends?: readonly Ended[];
  note?: string;
}

function changeBy(
  state: ControlState,
  actor: ControlCommand['actor'],
  instruction: Instruction,
): Change | { refused: string } {
  switch (instruction.type) {
    case 'set':
      return setFlags(state, instruction.flags, actor);
    case 'rollback':
      if (state.rolledBack)
        return { refused: `the rollout has been rolled back since epoch ${state.rolledBack.epoch}` };
      if (actor === 'judge' && shareInForce(state) === 0) return { refused: 'the percentage in force is 0' };
      return { to: { rolledBack: instruction.why }, ends: ['plan', 'frozen'] };
    case 'freeze':
      if (state.frozen) return { refused: `the rollout has been frozen since epoch ${state.frozen.epoch}` };
      if (state.rolledBack) return { refused: 'the rollout is rolled back' };
      return { to: { frozen: instruction.why } };
    case 'thaw':
      if (state.frozen?.actor !== actor) return { refused: 'this actor has not frozen the rollout' };
      return { to: {}, ends: ['frozen'] };
    case 'resume':
      return resume(state, instruction.percentage);
    case 'bypass':
    case 'force':
    case 'release':
      return moveUser(state, instruction);
    case 'clear_cache':
      return {};
    case 'start':
      return start(state, instruction);
    case 'stop':
      return state.plan ? { to: {}, ends: ['plan'] } : { refused: 'no plan is running' };
    case 'advance':
      return advance(state);
  }
}

function setFlags(
  state: ControlState,
  flags: FlagTexts,
  actor: ControlCommand['actor'],
): Change | { refused: string } {
  if (Object.keys(flags).length === 0) return { refused: 'the command sets no flags' };
  const all = { ...state.flags, ...flags };
  const read = readFlags(all);
  if (Array.isArray(read)) return { refused: read.join('; ') };
  // Normalized, because later comparisons are by text: `TEST_USERS=a, a` becomes `a`.
  const texts = textsOf(read);
  const isFirst = Object.keys(state.flags).length === 0;
  const changes = Object.entries(texts).some(([name, text]) => text !== (state.flags[name] ?? ''));
  const env = actor === 'env' ? { env: { ...state.env, ...flags } } : {};
  if (!changes && !isFirst && actor !== 'env') return { note: 'the flags already have these values' };
  return { to: { flags: texts, ...env } };
}

function resume(state: ControlState, percentage: number | undefined): Change | { refused: string } {
  if (!state.rolledBack && !state.frozen) return { refused: 'the rollout is neither rolled back nor frozen' };
  const flags = percentage === undefined ? {} : { LITELLM_PERCENTAGE: String(percentage) };
  return { to: { flags: { ...state.flags, ...flags } }, ends: ['rolledBack', 'frozen'] };
}

type UserMove = Extract<Instruction, { type: 'bypass' | 'force' | 'release' }>;

function moveUser(state: ControlState, { type, user }: UserMove): Change {
  const flags = flagsOf(state);
  const others = (users: readonly string[]) => users.filter((one) => one !== user);
  const lists = {
    BYPASS_USER: [...others(flags.BYPASS_USER), ...(type === 'bypass' ? [user] : [])],
    FORCE_LITELLM_USER: [...others(flags.FORCE_LITELLM_USER), ...(type === 'force' ? [user] : [])],
  };
  return { to: { flags: textsOf({ ...flags, ...lists }) } };
}

function start(
  state: ControlState,
  { steps, dwellMs }: Extract<Instruction, { type: 'start' }>,
): Change | { refused: string } {
  if (state.plan) return { refused: 'a plan is already running: stop it first' };
  if (state.rolledBack) return { refused: 'the rollout is rolled back: resume it first' };
  const [first = 0] = steps;
  if (steps.some((step, i) => step <= (steps[i - 1] ?? 0)))
    return { refused: 'each step must be larger than the one before' };
  const share = shareInForce(state);
  if (first < share)
    return { refused: `${share}% of users are on LiteLLM: a plan cannot begin with ${first}%` };
  const flags = textsOf({ ...flagsOf(state), MIGRATION_PHASE: 2, LITELLM_PERCENTAGE: first });
  return { to: { flags, plan: { steps: [...steps], dwellMs, next: 1 } } };
}

function advance({ plan, flags }: ControlState): Change | { refused: string } {
  const step = plan?.steps[plan.next];
  if (!plan || step === undefined) return { refused: 'no plan is running, or it has no further step' };
  const to = { ...flags, LITELLM_PERCENTAGE: String(step) };
  return { to: { flags: to, plan: { ...plan, next: plan.next + 1 } } };
}

function without(state: ControlState, names: readonly Ended[]): ControlState {
  const kept = { ...state };
  for (const name of names) Reflect.deleteProperty(kept, name);
  return kept;
}

/** Only `resume` lets a frozen percentage grow. */
function growthRefused(before: ControlState, after: ControlState, { type }: Instruction): string | undefined {
  const grows = shareInForce(after) > shareInForce(before);
  if (!grows || type === 'resume' || !before.frozen) return undefined;
  return `the rollout is frozen (${before.frozen.why}): the percentage cannot grow before a resume`;
}

/** Ends the plan if the percentage is set by hand, or after the plan's last step. */
function withoutOverriddenPlan(
  before: ControlState,
  after: ControlState,
  { type }: Instruction,
): ControlState {
  const { plan } = after;
  if (!plan) return after;
  const byHand = type !== 'start' && type !== 'advance' && shareInForce(before) !== shareInForce(after);
  return byHand || plan.next >= plan.steps.length ? without(after, ['plan']) : after;
}

/** Jobs belong to the same step if their users were drawn from the same set of users with the same probability. */
function stepOf(before: ControlState, after: ControlState, now: number): ControlState['step'] {
  const share = shareInForce(before);
  if (share === shareInForce(after) && drawnFrom(before) === drawnFrom(after)) return before.step;
  const days = Math.floor(now / DAY_MS) - Math.floor(before.step.at / DAY_MS) + 1;
  // A percentage of 0 ends a rollout. The next one starts at segment 0, with its own bound for the probability of a false alarm.
  return { epoch: after.epoch, at: now, segment: share === 0 ? 0 : before.step.segment + days };
}

function drawnFrom(state: ControlState): string {
  const { MIGRATION_PHASE, TEST_USERS, BYPASS_USER, FORCE_LITELLM_USER } = flagsOf(state);
  const drawn = MIGRATION_PHASE === 1 ? TEST_USERS : ['everyone'];
  return JSON.stringify([drawn, MIGRATION_PHASE === 1 ? [BYPASS_USER, FORCE_LITELLM_USER] : []]);
}

function noteOf(note: string | undefined, after: ControlState, { type }: Instruction): { note?: string } {
  if (note !== undefined) return { note };
  if (type === 'set' && after.rolledBack)
    return { note: 'a rollback is in force: the percentage on LiteLLM stays 0 until a resume' };
  return {};
}
