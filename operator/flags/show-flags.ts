import { type RolloutStatus } from '../../shared/rollout/control/read-status.ts';
import { readFlags, textsOf } from '../../shared/platform/config/flags.ts';
import { type OperatorContext } from '../context.ts';
import { statusOf } from '../control/status-of.ts';
import { inColumns, toJsonLine } from '../output.ts';
import { oneLine } from '../terminal-safe.ts';

export async function showFlags(context: OperatorContext, { json }: { json?: true }): Promise<void> {
  const { epoch, flags, rolledBack } = await statusOf(context);
  if (json) {
    context.print(toJsonLine({ epoch, rolledBack: rolledBack !== undefined, flags }));
    return;
  }
  for (const line of inColumns(rowsOf(flags))) context.print(line);
  if (rolledBack)
    context.print(
      `Rolled back since epoch ${rolledBack.epoch}: only forced users are on LiteLLM, regardless of the flags.`,
    );
}

function rowsOf(flags: RolloutStatus['flags']): string[][] {
  const read = readFlags({});
  const defaults: Record<string, string> = Array.isArray(read) ? {} : textsOf(read);
  return Object.entries(flags).map(([name, text]) => [
    name,
    text === '' ? '-' : oneLine(text),
    text === defaults[name] ? '(default)' : '',
  ]);
}
