import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { type Codec } from './codec.ts';
import { type EntryStore } from './entry-store.ts';
import { type CacheGuard } from './cache-guard.ts';
import { type CacheKind } from '../../contracts/cache-kinds.ts';
import { createSharedWork } from './shared-work.ts';
import { type Located, type EncryptedEntries } from './encrypted-entries.ts';

/**
 * Single flight: of all concurrent callers for one entry, in all processes, one computes it and the others wait.
 *
 *   looking -> found | ours -> computing -> kept -> ended
 *           -> another's -> (waiting -> looking)
 *
 * Callers in one process share one promise. Between processes, a flight is a lease in Redis, which its holder renews. If the holder fails
 * or dies, the next process that looks takes the flight. When Redis is unavailable, each process computes for itself.
 */
export interface SingleFlight {
  /** `hit`: the value was not computed for this caller. Rejects with the error of `compute`, or with the signal's reason. */
  run<T>(computation: Computation<T>, signal: AbortSignal): Promise<{ value: T; hit: boolean }>;
}

export interface Computation<T> {
  kind: CacheKind;
  located: Located;
  codec: Codec<T>;
  compute: (signal: AbortSignal) => Promise<T>;
  /** Whether to store a value. */
  keep: (value: T) => boolean;
  /** Milliseconds. */
  ttlMs: number | undefined;
}

interface SingleFlightOptions {
  entries: Pick<EntryStore, 'nameOf' | 'enter' | 'hold'>;
  encryptedEntries: Pick<EncryptedEntries, 'open' | 'keep'>;
  guard: CacheGuard;
  /** Timeout of a look-up, and of storing the computed value; milliseconds. */
  timeoutMs: number;
}

/** Milliseconds. A dead holder is replaced after this time; a live one renews in time even when its process freezes for a second. */
const LEASE_MS = 1_500;
const RENEW_MS = 400;
/** Milliseconds between two look-ups while another process is computing. */
const [FIRST_WAIT_MS, LONGEST_WAIT_MS] = [5, 50];
/** Timeout of a lease renewal, in milliseconds. It is long, since no caller waits for it. */
const HOLD_TIMEOUT_MS = 1_000;

export function createSingleFlight({
  entries,
  encryptedEntries,
  guard,
  timeoutMs,
}: SingleFlightOptions): SingleFlight {
  const work = createSharedWork();

  function hold({ address }: Located, holder: string, leaseMs: number): void {
    void guard.ask(() => entries.hold(address, holder, leaseMs), HOLD_TIMEOUT_MS);
  }

  /** `ours` is false when this process computes without a flight. */
  async function enter<T>(
    { located: { owner, address }, codec }: Computation<T>,
    holder: string,
    signal: AbortSignal,
  ): Promise<{ found: T } | { ours: boolean }> {
    for (let wait = FIRST_WAIT_MS; ; wait = Math.min(LONGEST_WAIT_MS, wait * 1.5)) {
      const entered = await guard.ask(() => entries.enter(address, holder, LEASE_MS), timeoutMs);
      if (entered === undefined || entered === 'compute') return { ours: entered === 'compute' };
      if (entered !== 'busy') {
        const kept = await encryptedEntries.open(owner, entered, codec);
        return kept ? { found: kept.value } : { ours: false };
      }
      await delay(wait, undefined, { signal });
    }
  }

  async function compute<T>(computation: Computation<T>, signal: AbortSignal): Promise<T> {
    const { kind, located, codec, ttlMs } = computation;
    const value = await computation.compute(signal);
    // Store the value before the flight ends, or the next process would compute it again. The caller waits for this at most `timeoutMs`.
    if (computation.keep(value))
      await guard.ask(() => encryptedEntries.keep(kind, located, { value, codec, ttlMs }), timeoutMs);
    return value;
  }

  async function lead<T>(
    computation: Computation<T>,
    signal: AbortSignal,
  ): Promise<{ value: T; hit: boolean }> {
    const holder = randomBytes(8).toString('hex');
    const entered = await enter(computation, holder, signal);
    if ('found' in entered) return { value: entered.found, hit: true };
    const { located } = computation;
    const renewing = entered.ours && setInterval(() => hold(located, holder, LEASE_MS), RENEW_MS);
    try {
      return { value: await compute(computation, signal), hit: false };
    } finally {
      if (renewing) {
        clearInterval(renewing);
        hold(located, holder, 0);
      }
    }
  }

  return {
    run: async (computation, signal) => {
      const { tag, ids } = computation.located.address;
      // The tag changes with the user's cache version, so a caller after a clear does not join work that began before it.
      const name = entries.nameOf(tag, ids[0]);
      const { joined, outcome } = work.join(name, (ending) => lead(computation, ending), signal);
      const { value, hit } = await outcome;
      return { value, hit: hit || joined };
    },
  };
}
