import { ZodError } from 'zod';
import { type ControlCommand, type Instruction } from '../../shared/contracts/control.ts';
import { createAppliedEpochs } from '../../shared/rollout/control/applied-epochs.ts';
import {
  type AppliedBy,
  type Confirmation,
  confirmCommand,
} from '../../shared/rollout/control/confirm-command.ts';
import { controlKeys } from '../../shared/rollout/control/control-keys.ts';
import { newCommand } from '../../shared/rollout/control/send-command.ts';
import { CommandFailed, type OperatorContext } from '../context.ts';
import { toJsonLine } from '../output.ts';
import { needing, withStores } from '../stores.ts';
import { oneLine } from '../terminal-safe.ts';

export interface GiveOptions {
  json?: true;
}

/** Sends the command and prints its result. Throws `CommandFailed` unless all running processes have applied it. */
export async function giveCommand(
  context: OperatorContext,
  instruction: Instruction,
  { json }: GiveOptions,
): Promise<void> {
  const settings = context.settings();
  const command = toCommand(context.operator, instruction);
  const confirmed = await withStores(settings, async ({ kafka, topics, redis, addresses }) => {
    const producer = await needing(addresses.kafka, kafka.producer());
    try {
      const applied = createAppliedEpochs(redis, controlKeys(settings.REDIS_PREFIX).applied);
      const deps = { kafka, producer, topic: topics.control, applied };
      return await needing(`${addresses.kafka} or ${addresses.redis}`, confirmCommand(deps, command));
    } finally {
      await producer.close();
    }
  });
  if (json) context.print(toJsonLine(confirmed));
  else if (confirmed.status === 'applied') context.print(inWords(confirmed));
  const problem = problemOf(confirmed);
  if (problem !== undefined) throw new CommandFailed(problem);
}

function toCommand(by: string | undefined, instruction: Instruction): ControlCommand {
  try {
    return newCommand({ actor: 'operator', by }, instruction);
  } catch (error) {
    if (!(error instanceof ZodError)) throw error;
    const problems = error.issues.map(({ path, message }) => `${String(path.at(-1))} ${message}`);
    throw new CommandFailed(`Invalid command: ${problems.join('; ')}.`, { cause: error });
  }
}

type Applied = Extract<Confirmation, { status: 'applied' }>;

function inWords({ epoch, note, instances }: Applied): string {
  const { applied, of, ms } = instances;
  const line = `Epoch ${epoch}: applied by ${applied} of ${of} instances in ${ms} ms.`;
  return note === undefined ? line : `${line}\nNote: ${oneLine(note)}.`;
}

function problemOf(confirmed: Confirmation): string | undefined {
  switch (confirmed.status) {
    case 'undecided':
      return `No leader has looked at it within 10 s. Check that the metrics service runs: its next leader will decide. Command id: ${confirmed.command}`;
    case 'refused':
      return `Refused: ${oneLine(confirmed.note)}.`;
    case 'applied':
      return missingOf(confirmed.instances);
  }
}

function missingOf({ missing }: AppliedBy): string | undefined {
  if (missing.length === 0) return undefined;
  return `Not applied within 10 s by: ${missing.join(', ')}. They keep the earlier state until they receive the new one or restart.`;
}
