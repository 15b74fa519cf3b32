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

/** The lease is another's: whatever this term still wanted is not for it to do. */
export class TermOver extends Error {
  override readonly name = 'TermOver';
}

/** One term of a leader, from the lease to its loss. */
export interface Term {
  state(): ControlState;
  /** Sends a command that holds under the present epoch alone. It comes back by the topic, as everybody's do. */
  propose(actor: Exclude<ControlCommand['actor'], 'operator'>, instruction: Instruction): Promise<void>;
  /** Says that the state holds, and keeps it the last record of its topic. */
  beat(): Promise<void>;
  /** It has found the lease to be another's. */
  isOver(): boolean;
  /** Its signal has fired by then. */
  close(): Promise<void>;
}

export interface TermOptions {
  term: number;
  lease: Pick<LeaderLease, 'committed' | 'commit'>;
  kafka: Pick<Kafka, 'followTopic'>;
  producer: Producer;
  topics: Pick<Topics, 'control' | 'controlState'>;
  /** The state as its topic has it. */
  published: ControlState | undefined;
  /** The leader's environment. */
  env: FlagTexts;
  clearCache: (user: string) => Promise<void>;
  /** Nobody waits for this term any more. */
  signal: AbortSignal;
  log: Logger;
}

/**
 * taking over -> leading -> over.
 *
 * Taking over: the newest state that Redis or Kafka has is committed and published again under this term, and what became of the last
 * command is told where its leader died before he told it. Leading, of each command in the topic's order: decided ->
 * committed in Redis, which the fence guards -> published -> result told. Whoever leads next goes on from what is committed, so a
 * command is decided once, and a leader that stood still has decided nothing that is not committed.
 */
export async function openTerm(options: TermOptions): Promise<Term> {
  const { term, lease, producer, topics, env, signal, log } = options;
  const committed = await lease.committed();
  let state = newest(committed, options.published);
  /** What the leader before decided last; he may have died before he told it. */
  const inherited = state.last;
  let isInheritedTold = false;
  /** What Redis has; it may have gone back behind Kafka. */
  let believed = committed?.epoch ?? state.epoch;
  let isOver = false;
  let working: Promise<unknown> = Promise.resolve();

  /** One after another: a beat never tells of a state that a command has just replaced. */
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

  /** What is committed is published, however long Kafka takes, unless somebody else leads by then. */
  async function publish(topic: string, type: string, key: string, value: object): Promise<void> {
    const headers = toHeaders({ id: key, type, source: 'metrics' });
    const send = () => producer.send({ topic, key, value: JSON.stringify(value), headers });
    await retrying(send, { attempts: Infinity, baseMs: 50, maxMs: 1_000, signal });
  }

  const tell = (result: ControlResult) =>
    publish(topics.control, CONTROL_TYPE, result.command ?? result.offset, result);

  const beat = () => inTurn(() => change({ ...state, term, beatAt: Date.now() }));

  async function decide(message: InboundMessage): Promise<void> {
    const record = readControl(message.value);
    if ('kind' in record && record.kind === 'result') {
      isInheritedTold ||= record.offset === inherited?.offset;
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
    await tell(result);
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
    if (inherited && !isInheritedTold) await tell(inherited);
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

/** What lies below the position was decided, unless it is newer than all that was: then the topic was deleted and made again. */
function wasDecided({ position, positionAt = Infinity }: ControlState, message: InboundMessage): boolean {
  return message.offset < BigInt(position) && message.timestamp <= positionAt;
}

function newest(committed: ControlState | undefined, published: ControlState | undefined): ControlState {
  if (committed && isNewer(committed, published)) return committed;
  return published ?? initialState();
}

/** Only what was deployed differently since: what an operator has set meanwhile stays. */
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
