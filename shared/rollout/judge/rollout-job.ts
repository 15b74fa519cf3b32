import { type Outcome } from '../../contracts/outcome.ts';
import { isBackendFailure } from './own-failure.ts';
import { GROUPS, SLOTS } from './segment.ts';
import { type Arm } from '../../contracts/section-names.ts';

/** The properties of one job that count for the judge. */
export interface RolloutJob {
  /** `step`: the epoch in which its step began. `day`: days since 1970-01-01 (UTC). */
  step: number;
  day: number;
  slot: number;
  arm: Arm;
  userHash: string;
  group: number;
  /** Set if its backend failed the job; `lost` if the other backend failed it as well. */
  failed: 'saved' | 'lost' | undefined;
  /** Milliseconds. */
  firstTokenMs: number | undefined;
}

const DAY_MS = 86_400_000;
const SLOT_MS = DAY_MS / SLOTS;

export function dayOf(at: number): number {
  return Math.floor(at / DAY_MS);
}

export function slotOf(at: number): number {
  return Math.floor((at % DAY_MS) / SLOT_MS);
}

/**
 * Undefined for a job that says nothing about the backends: its user was not assigned by the percentage, the cache answered it, it was
 * cancelled, or it failed because of the request or of Turnout itself.
 */
export function rolloutJobOf(outcome: Outcome): RolloutJob | undefined {
  const { decision, cached, status, pathFailure, userHash, at, ms } = outcome;
  if (decision?.reason !== 'percentage' || decision.step === 0 || cached || status === 'cancelled')
    return undefined;
  const isOwn = pathFailure !== undefined && isBackendFailure(pathFailure.error);
  if (status === 'failed' && !isOwn) return undefined;
  return {
    step: decision.step,
    day: dayOf(at),
    slot: slotOf(at),
    arm: decision.path === 'litellm' ? 'canary' : 'control',
    userHash,
    group: groupOf(userHash),
    failed: isOwn ? (pathFailure.fallback === 'failed' ? 'lost' : 'saved') : undefined,
    firstTokenMs: ms.firstToken,
  };
}

/** The user's group. Hashes give groups of equal size; any other text has a group as well. */
function groupOf(userHash: string): number {
  const digits = Number.parseInt(userHash.slice(-8), 16);
  return Number.isNaN(digits) ? 0 : digits % GROUPS;
}
