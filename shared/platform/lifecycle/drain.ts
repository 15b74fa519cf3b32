/** How the time between SIGTERM and the forced end of a process is spent. Milliseconds. */
export interface DrainPlan {
  /** What is in flight may go on for so long. */
  drainMs: number;
  /** The rest: what has not ended by then is cut or given back, and the process disconnects. */
  reserveMs: number;
}

const RESERVE_MS = 3_000;

export function planDrain(shutdownTimeoutMs: number): DrainPlan {
  const reserveMs = Math.min(RESERVE_MS, shutdownTimeoutMs / 3);
  return { drainMs: shutdownTimeoutMs - reserveMs, reserveMs };
}
