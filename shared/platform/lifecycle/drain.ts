/** How a process spends the time between SIGTERM and its forced end. Milliseconds. */
export interface DrainPlan {
  /** How long work in flight may continue. */
  drainMs: number;
  /** The rest, in which the process interrupts or returns unfinished work and disconnects. */
  reserveMs: number;
}

const RESERVE_MS = 3_000;

export function planDrain(shutdownTimeoutMs: number): DrainPlan {
  const reserveMs = Math.min(RESERVE_MS, shutdownTimeoutMs / 3);
  return { drainMs: shutdownTimeoutMs - reserveMs, reserveMs };
}
