import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { type Codec } from './codec.ts';
import { type EntryStore } from './entry-store.ts';
import { type CacheGuard } from './cache-guard.ts';
import { type CacheKind } from '../../contracts/cache-kinds.ts';
import { createSharedWork } from './shared-work.ts';
import { type Located, type EncryptedEntries } from './encrypted-entries.ts';

/**
 * Single flight: of all who want one entry, in all processes, one computes it and the others wait.
 *
 *   looking -> found | ours -> computing -> kept -> ended
 *           -> another's -> (waiting -> looking)
 *
 * In one process callers share one promise; between processes a flight is a lease in Redis, which its holder renews. One that
 * fails or dies leaves it to the next who looks. Where Redis cannot be asked, each process computes for itself.
 */
export interface SingleFlight {
  /** `hit`: this caller had nothing computed. Rejects with what `compute` rejects with, or with the signal's reason. */
  run<T>(computation: Computation<T>, signal: AbortSignal): Promise<{ value: T; hit: boolean }>;
}

export interface Computation<T> {
  kind: CacheKind;
  located: Located;
  codec: Codec<T>;
  compute: (signal: AbortSignal) => Promise<T>;
  /** Whether a value is worth keeping. */
  keep: (value: T) => boolean;
  /** Milliseconds. */
  ttlMs: number | undefined;
}

interface SingleFlightOptions {
  entries: Pick<EntryStore, 'nameOf' | 'enter' | 'hold'>;
  encryptedEntries: Pick<EncryptedEntries, 'open' | 'keep'>;
  guard: CacheGuard;
  /** Milliseconds that a look may take, and keeping what was computed. */
  timeoutMs: number;
}

/** Milliseconds. A holder who has died is replaced so soon; who lives renews in time even when he stands still for a second. */
const LEASE_MS = 1_500;
const RENEW_MS = 400;
/** Milliseconds between two looks at what another process is computing. */
const [FIRST_WAIT_MS, LONGEST_WAIT_MS] = [5, 50];
/** Nobody waits for a lease. */
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

  /** `ours` is false where we compute without a flight. */
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
    // Before the flight ends, else the next in line would compute it again; but who has it waits no longer than for a look.
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
      // The tag changes with the user's generation: who asks after a clear joins nothing that began before.
      const name = entries.nameOf(tag, ids[0]);
      const { joined, outcome } = work.join(name, (ending) => lead(computation, ending), signal);
      const { value, hit } = await outcome;
      return { value, hit: hit || joined };
    },
  };
}
