import { CommandFailed, type OperatorContext } from '../context.ts';
import { withKeys } from '../keys/known-keys.ts';
import { inColumns } from '../output.ts';
import { oneLine } from '../terminal-safe.ts';

export async function blockUser(context: OperatorContext, user: string): Promise<void> {
  await withKeys(context, (keys) => keys.block(user, Date.now()));
  context.print(`${oneLine(user)} is blocked.`);
}

export async function unblockUser(context: OperatorContext, user: string): Promise<void> {
  const wasBlocked = await withKeys(context, (keys) => keys.unblock(user));
  if (!wasBlocked) throw new CommandFailed(`${oneLine(user)} is not blocked.`);
  context.print(`${oneLine(user)} is no longer blocked.`);
}

export async function listBlocked(context: OperatorContext): Promise<void> {
  const blocked = await withKeys(context, (keys) => keys.blocked());
  const rows = [...blocked].map(([user, at]) => [oneLine(user), new Date(at).toISOString()]);
  context.print(
    rows.length === 0 ? 'No users are blocked.' : inColumns([['USER', 'SINCE'], ...rows]).join('\n'),
  );
}
