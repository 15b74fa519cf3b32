import { setTimeout as delay } from 'node:timers/promises';
import { type Ground, settingsOf } from '../suite/ground.ts';

/** The services whose second instance is restarted (SIGTERM) or killed (SIGKILL) in turn. */
const TWINS = ['ingress', 'router', 'llm-worker'] as const;

export interface Disturbances {
  restarts: number;
  kills: number;
}

/** Every tenth turn is a kill. A killed worker loses half-written JSON answers, which no other worker can continue. */
const KILL_EVERY = 10;

/** Stops and restarts one second instance after another until the signal fires. */
export async function disturb(ground: Ground, everyMs: number, signal: AbortSignal): Promise<Disturbances> {
  const done = { restarts: 0, kills: 0 };
  for (let turn = 0; await rest(everyMs, signal); turn += 1) {
    const name = TWINS[turn % TWINS.length] ?? TWINS[0];
    const kill = turn % KILL_EVERY === KILL_EVERY / 2;
    const twin = `${name}-2`;
    await ground.services.kill(twin, kill ? 'SIGKILL' : 'SIGTERM');
    await ground.services.start(name, twin, settingsOf(twin));
    done[kill ? 'kills' : 'restarts'] += 1;
  }
  return done;
}

/** False if the signal has fired. */
async function rest(milliseconds: number, signal: AbortSignal): Promise<boolean> {
  try {
    await delay(milliseconds, undefined, { signal });
    return true;
  } catch {
    return false;
  }
}
