import { setTimeout as delay } from 'node:timers/promises';
import { type ControlCommand, type ControlResult } from '../../contracts/control.ts';
import { type Kafka, type Producer } from '../../platform/kafka/port.ts';
import { type AppliedEpochs, type AppliedReport } from './applied-epochs.ts';
import { readControl } from './read-control.ts';
import { sendCommand } from './send-command.ts';

/** The result of a command. `undecided`: no leader has processed it so far; the next leader will. */
export type Confirmation =
  | { status: 'undecided'; command: string }
  | { status: 'refused'; command: string; epoch: number; note: string }
  | { status: 'applied'; command: string; epoch: number; note?: string; instances: AppliedBy };

/** How many of the running processes have applied the command. */
export interface AppliedBy {
  applied: number;
  of: number;
  /** Time from the command until the last of them applied it, in milliseconds, by the processes' clocks. */
  ms: number;
  /** The services of the processes that have not applied it. */
  missing: string[];
}

interface ConfirmDeps {
  kafka: Pick<Kafka, 'followTopic'>;
  producer: Producer;
  /** `turnout.control`. */
  topic: string;
  applied: Pick<AppliedEpochs, 'read'>;
  /** Time limit for the leader's decision, and again for the processes to apply it. Default 10 s. */
  timeoutMs?: number;
}

const TIMEOUT_MS = 10_000;
const LOOK_MS = 20;

/** Sends a command, then waits until a leader has decided and all running processes have applied the result. */
export async function confirmCommand(deps: ConfirmDeps, command: ControlCommand): Promise<Confirmation> {
  const { timeoutMs = TIMEOUT_MS } = deps;
  const result = await decided(deps, command, timeoutMs);
  if (!result) return { status: 'undecided', command: command.id };
  const { status, epoch, note } = result;
  if (status === 'refused')
    return { status, command: command.id, epoch, note: note ?? 'no reason was given' };
  const instances = await appliedBy(deps, { epoch, since: command.at }, timeoutMs);
  return { status, command: command.id, epoch, ...(note === undefined ? {} : { note }), instances };
}

async function decided(
  { kafka, producer, topic }: ConfirmDeps,
  command: ControlCommand,
  timeoutMs: number,
): Promise<ControlResult | undefined> {
  const { promise, resolve } = Promise.withResolvers<ControlResult | undefined>();
  const follower = await kafka.followTopic({
    topic,
    onMessage: ({ value }) => {
      const record = readControl(value);
      if ('kind' in record && record.kind === 'result' && record.command === command.id) resolve(record);
      return Promise.resolve();
    },
  });
  let timer: NodeJS.Timeout | undefined;
  try {
    await sendCommand(producer, topic, command);
    timer = setTimeout(() => resolve(undefined), timeoutMs);
    return await promise;
  } finally {
    clearTimeout(timer);
    await follower.close();
  }
}

async function appliedBy(
  { applied }: ConfirmDeps,
  { epoch, since }: { epoch: number; since: number },
  timeoutMs: number,
): Promise<AppliedBy> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const found = toAppliedBy(await applied.read(Date.now()), epoch, since);
    if (found.applied === found.of || Date.now() >= end) return found;
    await delay(LOOK_MS);
  }
}

function toAppliedBy(reports: readonly AppliedReport[], epoch: number, since: number): AppliedBy {
  const done = reports.filter((report) => report.epoch >= epoch);
  return {
    applied: done.length,
    of: reports.length,
    ms: Math.max(0, ...done.map(({ at }) => at - since)),
    missing: reports.filter((report) => report.epoch < epoch).map(({ service }) => service),
  };
}
