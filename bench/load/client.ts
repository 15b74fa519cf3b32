/** The load client's process. It shares no event loop with the measured processes. It receives tasks and returns samples over IPC. */
import { createChatCaller } from './chat-call.ts';
import type { ClientMessage, Task, TargetResult } from './protocol.ts';
import { saturate } from './saturate.ts';
import { playUsers } from './users.ts';

const caller = createChatCaller();

function say(message: ClientMessage): void {
  process.send?.(message);
}

async function run(task: Task): Promise<TargetResult[]> {
  if (task.kind === 'users') return playUsers(caller, task);
  return [await saturate(caller, task, (kind) => say({ kind }))];
}

process.on('message', (task: Task) => {
  run(task).then(
    (results) => say({ kind: 'done', results }),
    (error: unknown) => say({ kind: 'failed', message: String(error) }),
  );
});
process.once('disconnect', () => process.exit());
say({ kind: 'ready' });
