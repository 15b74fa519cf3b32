import { type Outcome } from '../../contracts/outcome.ts';
import { isBackendFailure } from './own-failure.ts';
import { GROUPS, SLOTS } from './segment.ts';
import { type Arm } from '../../contracts/section-names.ts';

/** What a rollout is judged by of one job. */
export interface RolloutJob {
  /** The epoch of its step, and days since the epoch (UTC). */
  step: number;
  day: number;
  slot: number;
  arm: Arm;
  userHash: string;
  group: number;
  /** How its path failed it, if it did: `lost` where the other one did so too. */
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
 * Undefined for a job that says nothing of the paths: whose user did not come to its path by his share, that the cache answered, that
 * was cancelled, or that failed by its user's or by our own fault.
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

/** Any text has a group: a hash as a rule, and then groups of one size. */
function groupOf(userHash: string): number {
  const digits = Number.parseInt(userHash.slice(-8), 16);
  return Number.isNaN(digits) ? 0 : digits % GROUPS;
}
