import { type AuditEntry } from '../../shared/rollout/control/read-audit.ts';
import { CommandFailed, type OperatorContext } from '../context.ts';
import { auditOf } from '../control/audit-of.ts';
import { instructionInWords } from '../control/instruction-in-words.ts';
import { toJsonLine } from '../output.ts';
import { withStores } from '../stores.ts';
import { oneLine } from '../terminal-safe.ts';

/** Prints the command that began an epoch. Throws `CommandFailed` if there is no such epoch. */
export async function explainEpoch(
  context: OperatorContext,
  epoch: number,
  { json }: { json?: true },
): Promise<void> {
  const entries = await withStores(context.settings(), auditOf);
  const entry = entries.find((one) => one.status === 'applied' && one.epoch === epoch);
  if (!entry) throw new CommandFailed(`There is no epoch ${epoch}. \`turnout audit\` shows the epochs.`);
  for (const line of json ? [toJsonLine(entry)] : inWords(epoch, entry)) context.print(line);
}

function inWords(epoch: number, { at, command, note }: AuditEntry): string[] {
  if (!command) return [`Epoch ${epoch} began with a command that cannot be read.`];
  const { actor, by, under, instruction } = command;
  const who = by === undefined ? actor : `${actor} ${oneLine(by)}`;
  const evidence = 'evidence' in instruction ? instruction.evidence : undefined;
  return [
    `Epoch ${epoch} began at ${new Date(at).toISOString()}.`,
    `${who}: ${instructionInWords(instruction)}${under === undefined ? '' : ` (decided under epoch ${under})`}`,
    ...(note === undefined ? [] : [`Note: ${oneLine(note)}`]),
    ...(evidence === undefined ? [] : ['Evidence:', toJsonLine(evidence)]),
  ];
}
