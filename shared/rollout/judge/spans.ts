/** The span with the strongest evidence. */
export interface Strongest {
  /** Natural logarithm of the e-value. */
  evidence: number;
  /** The first slot of the span, and the affected users in it. */
  slot: number;
  canary: number;
  control: number;
}

/** Finds the strongest of all spans that end now. `canary`, `control`: users by span, from `usersBySpan`. */
export function strongestSpan(
  canary: readonly number[],
  control: readonly number[],
  evidence: (canary: number, control: number, slot: number) => number,
): Strongest {
  let best: Strongest = { evidence: 0, slot: 0, canary: 0, control: 0 };
  // A span without affected users in the canary arm is no evidence against it.
  for (const [slot, count] of canary.entries()) {
    if (count === 0) continue;
    const others = control[slot] ?? 0;
    const value = evidence(count, others, slot);
    if (value > best.evidence) best = { evidence: value, slot, canary: count, control: others };
  }
  return best;
}
