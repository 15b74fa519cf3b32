import { type RolloutStatus } from '../../shared/rollout/control/read-status.ts';
import { type OperatorContext } from '../context.ts';
import { statusOf } from '../control/status-of.ts';
import { toJsonLine } from '../output.ts';
import { statusInWords } from './status-in-words.ts';

export async function showStatus(context: OperatorContext, { json }: { json?: true }): Promise<void> {
  const status: RolloutStatus = await statusOf(context);
  for (const line of json ? [toJsonLine(status)] : statusInWords(status, Date.now())) context.print(line);
}
