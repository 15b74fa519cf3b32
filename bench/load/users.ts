import { setTimeout as delay } from 'node:timers/promises';
import { generator } from '../../test/upstream/core/random.ts';
import type { ChatCaller } from './chat-call.ts';
import type { Sample, Target, TargetResult, UsersTask } from './protocol.ts';
import { noteError } from './tally.ts';

/** Runs the users of the task against its targets in turn. The results are in the order of the targets. */
export async function playUsers(caller: ChatCaller, task: UsersTask): Promise<TargetResult[]> {
  const results = task.targets.map(({ name }) => emptyResult(name));
  const random = generator(task.seed);
  const lastStart = performance.now() + task.atMostMs;
  for (let round = 0; round < task.rounds && (round === 0 || performance.now() < lastStart); round += 1) {
    for (const [at, target] of task.targets.entries()) {
      const result = results[at];
      if (result) await playTurn(caller, task, { target, round, result, random });
    }
  }
  return results;
}

function emptyResult(target: string): TargetResult {
  return { target, samples: [], errors: {}, completed: 0, elapsedMs: 0 };
}

interface Turn {
  target: Target;
  round: number;
  result: TargetResult;
  random: () => number;
}

async function playTurn(caller: ChatCaller, task: UsersTask, turn: Turn): Promise<void> {
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: task.users }, () => playUser(caller, task, turn)));
  turn.result.elapsedMs += performance.now() - startedAt;
}

async function playUser(caller: ChatCaller, task: UsersTask, turn: Turn): Promise<void> {
  // If all users began at the same moment, the run would measure that burst.
  await delay(turn.random() * firstWaitMs(task));
  for (let sent = 0; sent < task.requestsPerTurn; sent += 1) {
    await delay(turn.random() * task.thinkMs);
    const sample = await attempt(caller, task, turn);
    if (sample) turn.result.samples.push(sample);
  }
}

/** The users' starts are spread over the duration of one request. */
function firstWaitMs({ users, shape }: UsersTask): number {
  if (users === 1) return 0;
  const answering = shape.tokensPerSecond === 0 ? 0 : (shape.tokens / shape.tokensPerSecond) * 1_000;
  return shape.ttft + answering;
}

async function attempt(
  caller: ChatCaller,
  { shape }: UsersTask,
  { target, round, result }: Turn,
): Promise<Sample | undefined> {
  try {
    const times = await caller.call(target, shape);
    result.completed += 1;
    return { ...times, round };
  } catch (error) {
    noteError(result.errors, error);
    return undefined;
  }
}
