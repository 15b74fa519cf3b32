import { type RolloutJob } from '../../../shared/rollout/judge/rollout-job.ts';
import { sectionField, sectionName } from '../../../shared/contracts/section-names.ts';
import { SLOTS } from '../../../shared/rollout/judge/segment.ts';
import { countOf, quantile } from '../counts/histogram.ts';
import { firstTokensOf } from './first-tokens.ts';

interface SlowFromDeps {
  /** Reads the counts of a section. */
  read: (section: string) => Promise<ReadonlyMap<string, number>>;
  /** Sets a field unless it is set, and returns its value. */
  setOnce: (section: string, field: string, value: number) => Promise<number>;
  now?: () => number;
}

type Slot = Pick<RolloutJob, 'step' | 'day' | 'slot'>;

/** With fewer first tokens than this, the slowest 5% are not meaningful. */
const FEWEST = 200;
const SLOW = 0.95;
/** How many slots to look back for the control arm: half an hour. */
const LOOK_BACK = 6;
const ASK_AGAIN_MS = 10_000;

/**
 * The threshold, in milliseconds, above which a first token counts as slow: the 95th percentile of the control arm in the latest earlier
 * slot that has enough first tokens. The first instance that needs it sets it once for each slot, so both arms of a slot are measured by
 * the same threshold.
 */
export function createSlowFrom({ read, setOnce, now = Date.now }: SlowFromDeps) {
  const known = new Map<string, number | undefined>();
  const askedAt = new Map<string, number>();

  async function find(slot: Slot): Promise<number | undefined> {
    for (let back = 1; back <= LOOK_BACK; back += 1) {
      const { step, day, slot: before } = earlier(slot, back);
      const counts = await read(sectionName.firstTokens(step, day, before));
      const histogram = firstTokensOf('control', [counts]);
      if (countOf(histogram) < FEWEST) continue;
      const ms = quantile(histogram, SLOW);
      if (ms === undefined) continue;
      const section = sectionName.segment(slot.step, slot.day);
      return setOnce(section, sectionField.slowFrom(slot.slot), Math.round(ms));
    }
    return undefined;
  }

  async function learn(slot: Slot): Promise<void> {
    const name = nameOf(slot);
    const isKnown = known.get(name) !== undefined;
    if (isKnown || now() - (askedAt.get(name) ?? 0) < ASK_AGAIN_MS) return;
    askedAt.set(name, now());
    known.set(name, await find(slot));
    if (known.size > MOST_KNOWN) for (const map of [known, askedAt]) map.delete(first(map.keys()));
  }

  return {
    /** Finds the thresholds for the slots of these jobs. */
    learn: async (jobs: readonly Slot[]): Promise<void> => {
      const slots = new Map(jobs.map((job) => [nameOf(job), job]));
      for (const slot of slots.values()) await learn(slot);
    },
    of: (slot: Slot): number | undefined => known.get(nameOf(slot)),
  };
}
export type SlowFrom = ReturnType<typeof createSlowFrom>;

const MOST_KNOWN = 1_000;

function first(names: Iterable<string>): string {
  for (const name of names) return name;
  return '';
}

function nameOf({ step, day, slot }: Slot): string {
  return `${step}/${day}/${slot}`;
}

function earlier({ step, day, slot }: Slot, back: number): Slot {
  const at = day * SLOTS + slot - back;
  return { step, day: Math.floor(at / SLOTS), slot: at % SLOTS };
}
