import { type AuditEntry } from '../../shared/rollout/control/read-audit.ts';
import { type OperatorContext } from '../context.ts';
import { auditOf } from '../control/audit-of.ts';
import { instructionInWords } from '../control/instruction-in-words.ts';
import { inColumns, toJsonLine } from '../output.ts';
import { withStores } from '../stores.ts';
import { oneLine } from '../terminal-safe.ts';

interface AuditOptions {
  limit: number;
  json?: true;
}

/** The last commands, oldest first. */
export async function showAudit(context: OperatorContext, { limit, json }: AuditOptions): Promise<void> {
  const entries = (await withStores(context.settings(), auditOf)).slice(-limit);
  if (json) for (const entry of entries) context.print(toJsonLine(entry));
  else for (const line of inColumns(entries.map(cellsOf))) context.print(line);
  if (entries.length === 0) context.complain('No command was ever given.');
}

/** The instruction comes last because it may be long. */
function cellsOf({ at, command, status, epoch, note }: AuditEntry): string[] {
  const by = command?.by === undefined ? '' : ` ${oneLine(command.by)}`;
  const what = command ? instructionInWords(command.instruction) : 'unreadable';
  return [
    new Date(at).toISOString(),
    command ? `${command.actor}${by}` : '?',
    epoch === undefined ? status : `${status}, epoch ${epoch}`,
    note === undefined ? what : `${what} (${oneLine(note)})`,
  ];
}
