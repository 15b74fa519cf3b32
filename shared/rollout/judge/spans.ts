/** The span whose evidence is the strongest. */
export interface Strongest {
  /** Natural logarithm of the e-value. */
  evidence: number;
  /** The slot that it begins with, and the users in it. */
  slot: number;
  canary: number;
  control: number;
}

/** Of all spans that end now. `canary`, `control`: users by span, as `usersBySpan` has them. */
export function strongestSpan(
  canary: readonly number[],
  control: readonly number[],
  evidence: (canary: number, control: number, slot: number) => number,
): Strongest {
  let best: Strongest = { evidence: 0, slot: 0, canary: 0, control: 0 };
  // Where no user of the canary arm comes after a slot, the spans behind it have nothing against it.
  for (const [slot, count] of canary.entries()) {
    if (count === 0) continue;
    const others = control[slot] ?? 0;
    const value = evidence(count, others, slot);
    if (value > best.evidence) best = { evidence: value, slot, canary: count, control: others };
  }
  return best;
}
