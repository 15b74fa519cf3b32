import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { type Codec } from './codec.ts';
import { type EntryStore } from './entry-store.ts';
import { type Impatience } from './impatience.ts';
import { type CacheKind } from '../../contracts/cache-kinds.ts';
import { createSharedWork } from './shared-work.ts';
import { type Located, type Vault } from './vault.ts';

/**
 * Single flight: of all who want one entry, in all processes, one computes it and the others wait.
 *
 *   looking -> found | ours -> computing -> kept -> ended
 *           -> another's -> (waiting -> looking)
 *
 * In one process callers share one promise; between processes a flight is a lease in Redis, which its holder renews. One that
 * fails or dies leaves it to the next who looks. Where Redis cannot be asked, each process computes for itself.
 */
export interface Flights {
  /** `hit`: this caller had nothing computed. Rejects with what `compute` rejects with, or with the signal's reason. */
  fly<T>(flight: Flight<T>, signal: AbortSignal): Promise<{ value: T; hit: boolean }>;
}

export interface Flight<T> {
  kind: CacheKind;
  located: Located;
  codec: Codec<T>;
  compute: (signal: AbortSignal) => Promise<T>;
  /** Whether a value is worth keeping. */
  keep: (value: T) => boolean;
  /** Milliseconds. */
  ttlMs: number | undefined;
}

interface FlightsOptions {
  entries: Pick<EntryStore, 'nameOf' | 'enter' | 'hold'>;
  vault: Pick<Vault, 'open' | 'keep'>;
  impatience: Impatience;
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

export function createFlights({ entries, vault, impatience, timeoutMs }: FlightsOptions): Flights {
  const work = createSharedWork();

  function hold({ place }: Located, holder: string, leaseMs: number): void {
    void impatience.ask(() => entries.hold(place, holder, leaseMs), HOLD_TIMEOUT_MS);
  }

  /** `ours` is false where we compute without a flight. */
  async function enter<T>(
    { located: { owner, place }, codec }: Flight<T>,
    holder: string,
    signal: AbortSignal,
  ): Promise<{ found: T } | { ours: boolean }> {
    for (let wait = FIRST_WAIT_MS; ; wait = Math.min(LONGEST_WAIT_MS, wait * 1.5)) {
      const entered = await impatience.ask(() => entries.enter(place, holder, LEASE_MS), timeoutMs);
      if (entered === undefined || entered === 'compute') return { ours: entered === 'compute' };
      if (entered !== 'busy') {
        const kept = await vault.open(owner, entered, codec);
        return kept ? { found: kept.value } : { ours: false };
      }
      await delay(wait, undefined, { signal });
    }
  }

  async function compute<T>(flight: Flight<T>, signal: AbortSignal): Promise<T> {
    const { kind, located, codec, ttlMs } = flight;
    const value = await flight.compute(signal);
    // Before the flight ends, else the next in line would compute it again; but who has it waits no longer than for a look.
    if (flight.keep(value))
      await impatience.ask(() => vault.keep(kind, located, { value, codec, ttlMs }), timeoutMs);
    return value;
  }

  async function lead<T>(flight: Flight<T>, signal: AbortSignal): Promise<{ value: T; hit: boolean }> {
    const holder = randomBytes(8).toString('hex');
    const entered = await enter(flight, holder, signal);
    if ('found' in entered) return { value: entered.found, hit: true };
    const { located } = flight;
    const renewing = entered.ours && setInterval(() => hold(located, holder, LEASE_MS), RENEW_MS);
    try {
      return { value: await compute(flight, signal), hit: false };
    } finally {
      if (renewing) {
        clearInterval(renewing);
        hold(located, holder, 0);
      }
    }
  }

  return {
    fly: async (flight, signal) => {
      const { tag, ids } = flight.located.place;
      // The tag changes with the user's generation: who asks after a clear joins nothing that began before.
      const name = entries.nameOf(tag, ids[0]);
      const { joined, outcome } = work.join(name, (ending) => lead(flight, ending), signal);
      const { value, hit } = await outcome;
      return { value, hit: hit || joined };
    },
  };
}
