import { toHeaders } from '../../../shared/contracts/cloud-event.ts';
import {
  CONTROL_STATE_TYPE,
  CONTROL_TYPE,
  type ControlCommand,
  type ControlResult,
  type ControlState,
  type Instruction,
} from '../../../shared/contracts/control.ts';
import { applyCommand, initialState } from '../../../shared/rollout/control/apply-command.ts';
import { isNewer } from '../../../shared/rollout/control/read-state.ts';
import { readControl } from '../../../shared/rollout/control/read-control.ts';
import { newCommand, sendCommand } from '../../../shared/rollout/control/send-command.ts';
import { type FlagTexts } from '../../../shared/platform/config/flags.ts';
import { type InboundMessage, type Kafka, type Producer } from '../../../shared/platform/kafka/port.ts';
import { type Topics } from '../../../shared/platform/kafka/topics.ts';
import { type Logger } from '../../../shared/platform/log/logger.ts';
import { retrying } from '../../../shared/platform/util/retrying.ts';
import { unlessAborted } from '../../../shared/platform/util/unless-aborted.ts';
import { type LeaderLease } from './lease.ts';

/** Another instance has the lease: this term must not change anything any more. */
export class TermOver extends Error {
  override readonly name = 'TermOver';
}

/** One term of a leader, from acquiring the lease to losing it. */
export interface Term {
  state(): ControlState;
  /** Sends a command that is valid only under the current epoch. It is read from the topic and decided like any other command. */
  propose(actor: Exclude<ControlCommand['actor'], 'operator'>, instruction: Instruction): Promise<void>;
  /** Publishes the state again, as a heartbeat, so that it stays the last record of its topic. */
  beat(): Promise<void>;
  /** True when a commit found that another instance has the lease. */
  isOver(): boolean;
  /** Called after the term's signal has fired. */
  close(): Promise<void>;
}

export interface TermOptions {
  term: number;
  lease: Pick<LeaderLease, 'committed' | 'commit'>;
  kafka: Pick<Kafka, 'followTopic'>;
  producer: Producer;
  topics: Pick<Topics, 'control' | 'controlState'>;
  /** The last state in its topic. */
  published: ControlState | undefined;
  /** The leader's environment. */
  env: FlagTexts;
  clearCache: (user: string) => Promise<void>;
  /** Fires when the term must end. */
  signal: AbortSignal;
  log: Logger;
}

/**
 * taking over -> leading -> over.
 *
 * - Taking over: the newest state in Redis or Kafka is committed and published again under this term. If the previous leader died before
 *   it published the result of its last command, the result is published now.
 * - Leading, for each command in the order of the topic: decided -> committed in Redis, guarded by the fence -> state published ->
 *   result published.
 *
 * The next leader continues from the committed state. So every command is decided once, and a leader that froze has decided nothing that
 * is not committed.
 */
export async function openTerm(options: TermOptions): Promise<Term> {
  const { term, lease, producer, topics, env, signal, log } = options;
  const committed = await lease.committed();
  let state = newest(committed, options.published);
  /** The last decision of the previous leader, which may have died before it published the result. */
  const inherited = state.last;
  let isInheritedPublished = false;
  /** The epoch committed in Redis, which may be behind Kafka after Redis lost data. */
  let believed = committed?.epoch ?? state.epoch;
  let isOver = false;
  let working: Promise<unknown> = Promise.resolve();

  /** Runs work one after another, so that a heartbeat never publishes a state that a command has just replaced. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = working.then(work);
    working = turn.catch(() => undefined);
    return turn;
  }

  async function change(next: ControlState): Promise<void> {
    signal.throwIfAborted();
    if (isOver || !(await lease.commit(next, believed))) {
      isOver = true;
      throw new TermOver('the lease was lost');
    }
    [state, believed] = [next, next.epoch];
    await publish(topics.controlState, CONTROL_STATE_TYPE, 'state', next);
  }

  /** Publishes a committed value, retrying until Kafka accepts it or this term ends. */
  async function publish(topic: string, type: string, key: string, value: object): Promise<void> {
    const headers = toHeaders({ id: key, type, source: 'metrics' });
    const send = () => producer.send({ topic, key, value: JSON.stringify(value), headers });
    await retrying(send, { attempts: Infinity, baseMs: 50, maxMs: 1_000, signal });
  }

  const publishResult = (result: ControlResult) =>
    publish(topics.control, CONTROL_TYPE, result.command ?? result.offset, result);

  const beat = () => inTurn(() => change({ ...state, term, beatAt: Date.now() }));

  async function decide(message: InboundMessage): Promise<void> {
    const record = readControl(message.value);
    if ('kind' in record && record.kind === 'result') {
      isInheritedPublished ||= record.offset === inherited?.offset;
      return;
    }
    if (wasDecided(state, message)) return;
    const now = Date.now();
    const applied = record instanceof Error ? { refused: record.message } : applyCommand(state, record, now);
    const command = record instanceof Error ? undefined : record;
    const next = 'refused' in applied ? state : applied.state;
    const note = 'refused' in applied ? applied.refused : applied.note;
    const result: ControlResult = {
      version: 1,
      kind: 'result',
      offset: message.offset.toString(),
      at: now,
      ...(command ? { command: command.id } : {}),
      status: 'refused' in applied ? 'refused' : 'applied',
      epoch: next.epoch,
      ...(note === undefined ? {} : { note }),
    };
    if (command?.instruction.type === 'clear_cache' && result.status === 'applied')
      await options.clearCache(command.instruction.user);
    const position = (message.offset + 1n).toString();
    const positionAt = Math.max(state.positionAt ?? 0, message.timestamp);
    await change({ ...next, term, beatAt: now, position, positionAt, last: result });
    await publishResult(result);
    logResult(log, command, result);
  }

  await beat();
  const follower = await options.kafka.followTopic({
    topic: topics.control,
    onMessage: (message) => inTurn(() => decide(message)),
  });
  const close = async () => {
    await follower.close();
    await working;
  };
  const propose: Term['propose'] = (actor, instruction) =>
    sendCommand(producer, topics.control, newCommand({ actor, under: state.epoch }, instruction));

  async function begin(): Promise<void> {
    await unlessAborted(follower.caughtUp, signal);
    if (inherited && !isInheritedPublished) await publishResult(inherited);
    const changed = differingFrom(state.env, env);
    if (Object.keys(changed).length > 0) await propose('env', { type: 'set', flags: changed });
  }
  try {
    await begin();
  } catch (error) {
    await close();
    throw error;
  }
  log.info({ term, epoch: state.epoch }, 'Leading the rollout');
  return {
    state: () => state,
    propose,
    beat,
    isOver: () => isOver,
    close,
  };
}

/** Messages below the position were decided, unless they are newer than every decided message: then the topic was recreated. */
function wasDecided({ position, positionAt = Infinity }: ControlState, message: InboundMessage): boolean {
  return message.offset < BigInt(position) && message.timestamp <= positionAt;
}

function newest(committed: ControlState | undefined, published: ControlState | undefined): ControlState {
  if (committed && isNewer(committed, published)) return committed;
  return published ?? initialState();
}

/** The flags whose deployed value has changed; flags that an operator has set meanwhile stay as they are. */
function differingFrom(before: FlagTexts, now: FlagTexts): FlagTexts {
  return Object.fromEntries(Object.entries(now).filter(([name, text]) => before[name] !== text));
}

function logResult(
  log: Logger,
  command: ControlCommand | undefined,
  { status, epoch, note, offset }: ControlResult,
): void {
  const fields = { actor: command?.actor, instruction: command?.instruction.type, epoch, offset, note };
  if (status === 'applied') log.info(fields, 'Control command applied');
  else log.warn(fields, 'Control command refused');
}
