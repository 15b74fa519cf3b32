import { Cluster } from 'ioredis';
import { Gauge, type Registry } from 'prom-client';
import { type Logger } from '../log/logger.ts';
import { periodically } from '../util/periodically.ts';
import { withTimeout } from '../util/with-timeout.ts';
import { type Redis } from './connect.ts';

/**
 * The clock of the job Redis, used for all times that processes compare with each other. Scripts read it with `TIME`; a process
 * estimates it from its own clock and the measured difference.
 */
export interface SharedClock {
  /** Estimate of Redis's time, in milliseconds since the epoch. Before the first measurement it is the process's own time. */
  now(): number;
  /** How far this process's clock is ahead of Redis, in milliseconds; negative if behind, undefined before the first measurement. */
  skewMs(): number | undefined;
  /** Measures now, for a process that resumes after a freeze. Never rejects; without a quick reply the last known difference is kept. */
  measure(): Promise<void>;
  /** Measures once, then every few seconds until closed. */
  start(): Promise<void>;
  close(): Promise<void>;
}

interface SharedClockOptions {
  redis: Redis;
  log: Logger;
  /** This process's clock, in milliseconds since the epoch. */
  clock?: () => number;
}

const EVERY_MS = 5_000;
/** Number of `TIME` calls per measurement; the quickest reply counts. */
const SAMPLES = 3;
/** Slower replies are too inaccurate and are ignored. */
const SLOWEST_ANSWER_MS = 1_000;
/** Time limit of a measurement. */
const TIMEOUT_MS = 2_000;
/** Smaller changes of the skew count as measurement error, so that the estimate does not jitter. */
const SMALLEST_CHANGE_MS = 5;
const WARN_ABOVE_MS = 1_000;
const WARN_EVERY_MS = 60_000;

interface Measured {
  skewMs: number;
  /** How long the reply took; the skew is accurate to half of it. */
  roundTripMs: number;
}

export function createSharedClock({ redis, log, clock = () => Date.now() }: SharedClockOptions): SharedClock {
  let skewMs: number | undefined;
  let warnedAt: number | undefined;
  let failing = false;

  async function measureNow(): Promise<void> {
    const measured = await withTimeout(
      measureSkew(redis, clock),
      TIMEOUT_MS,
      'Redis did not answer TIME in time',
    );
    failing = false;
    if (!measured) return;
    const smallest = Math.max(SMALLEST_CHANGE_MS, measured.roundTripMs / 2);
    if (Math.abs(measured.skewMs - (skewMs ?? 0)) > smallest) skewMs = measured.skewMs;
    skewMs ??= 0;
    warn(skewMs);
  }

  function warn(skew: number): void {
    if (Math.abs(skew) <= WARN_ABOVE_MS) {
      warnedAt = undefined;
      return;
    }
    // Monotonic, so independent of the skew.
    const now = performance.now();
    if (warnedAt !== undefined && now - warnedAt < WARN_EVERY_MS) return;
    warnedAt = now;
    log.warn({ skewMs: Math.round(skew) }, 'Clock differs from Redis');
  }

  const measure = () =>
    measureNow().catch((error: unknown) => {
      if (!failing)
        log.warn({ err: error }, 'Cannot compare the clock with Redis; using the last known difference');
      failing = true;
    });
  const measuring = periodically({ everyMs: EVERY_MS, run: measure, onError: () => undefined });
  return {
    now: () => Math.round(clock() - (skewMs ?? 0)),
    skewMs: () => skewMs,
    measure,
    start: async () => {
      await measure();
      measuring.start();
    },
    close: measuring.close,
  };
}

/** Measures the skew; undefined if no reply was quick enough. With a cluster, it is the skew to the master that differs most. */
async function measureSkew(redis: Redis, clock: () => number): Promise<Measured | undefined> {
  const servers = redis instanceof Cluster ? redis.nodes('master') : [redis];
  const measured = await Promise.all(servers.map((server) => quickest(() => server.time(), clock)));
  return measured
    .filter((one) => one !== undefined)
    .toSorted((a, b) => Math.abs(b.skewMs) - Math.abs(a.skewMs))
    .at(0);
}

async function quickest(
  askTime: () => Promise<(number | string)[]>,
  clock: () => number,
): Promise<Measured | undefined> {
  let best: Measured | undefined;
  for (let sample = 0; sample < SAMPLES; sample += 1) {
    const before = clock();
    const [seconds, microseconds] = await askTime();
    const roundTripMs = clock() - before;
    const redisMs = Number(seconds) * 1_000 + Number(microseconds) / 1_000;
    // Below 0: the clock was set during the call.
    if (roundTripMs < 0 || roundTripMs > SLOWEST_ANSWER_MS) continue;
    if (!best || roundTripMs < best.roundTripMs)
      best = { skewMs: before + roundTripMs / 2 - redisMs, roundTripMs };
  }
  return best;
}

/** Exports the skew as `turnout_clock_skew_seconds`, once it has been measured. */
export function showClockSkew(registry: Registry, clock: Pick<SharedClock, 'skewMs'>): void {
  new Gauge({
    name: 'turnout_clock_skew_seconds',
    help: 'How far the clock of this process is ahead of the job Redis; negative: behind',
    registers: [registry],
    collect() {
      const skew = clock.skewMs();
      if (skew !== undefined) this.set(skew / 1_000);
    },
  });
}
