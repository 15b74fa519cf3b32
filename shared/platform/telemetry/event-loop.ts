import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Gauge, type Registry } from 'prom-client';
import { type Logger } from '../log/logger.ts';
import { type WorkInProgress, workInProgress } from './work-in-progress.ts';

/** Milliseconds between two samples. Each sample wakes an idle process, so there are few. */
const RESOLUTION_MS = 40;
/** A value covers the last one to two windows, independent of the number of scrapes. Milliseconds. */
const WINDOW_MS = 60_000;
const QUANTILES = [0.5, 0.99, 0.999, 1] as const;

type Delays = readonly number[];

/**
 * Exports `turnout_event_loop_delay_seconds{quantile}`: how late the event loop was in the last one to two minutes, or since the last
 * scrape if that is longer ago. Quantile 1 is the maximum.
 */
export function measureEventLoop(
  registry: Registry,
  histogram: Pick<
    ReturnType<typeof monitorEventLoopDelay>,
    'enable' | 'reset' | 'percentile'
  > = monitorEventLoopDelay({
    resolution: RESOLUTION_MS,
  }),
  now: () => number = () => performance.now(),
): void {
  histogram.enable();
  let before: Delays = QUANTILES.map(() => 0);
  let begunAt = now();

  function current(): Delays {
    const delays = QUANTILES.map((quantile) => delaySeconds(histogram.percentile(quantile * 100)));
    const worst = delays.map((delay, at) => Math.max(delay, before[at] ?? 0));
    if (now() - begunAt < WINDOW_MS) return worst;
    histogram.reset();
    before = delays;
    begunAt = now();
    return worst;
  }

  new Gauge({
    name: 'turnout_event_loop_delay_seconds',
    help: 'How late the event loop was, by quantile (1: the maximum), in the last one to two minutes.',
    labelNames: ['quantile'],
    registers: [registry],
    collect() {
      for (const [at, delay] of current().entries()) this.set({ quantile: String(QUANTILES[at]) }, delay);
    },
  });
}

/** Subtracts the sampling interval, which Node includes. An empty histogram returns a huge number, which counts as 0. */
function delaySeconds(nanoseconds: number): number {
  if (!Number.isFinite(nanoseconds) || nanoseconds > Number.MAX_SAFE_INTEGER) return 0;
  return Math.max(0, nanoseconds / 1e9 - RESOLUTION_MS / 1_000);
}

/** The longest that one request may block the event loop. Milliseconds. */
const BLOCKED_MS = 100;
const LOOK_EVERY_MS = 40;

interface LoopWatchOptions {
  log: Pick<Logger, 'warn'>;
  work?: WorkInProgress;
  /** A monotonic clock, in milliseconds. */
  now?: () => number;
  /** CPU time of this thread in milliseconds. Other threads do not block the event loop and are not counted. */
  cpu?: () => number;
}

export interface LoopWatch {
  /** Checks how long ago the last check was. */
  look(): void;
  close(): void;
}

/**
 * Warns if the event loop was blocked for 100 ms or longer, and logs the work that ran. If `cpuMs` is far below `ms`, the process got
 * no CPU time or was stopped.
 */
export function watchEventLoop({
  log,
  work = workInProgress,
  now = () => performance.now(),
  cpu = cpuMs,
}: LoopWatchOptions): LoopWatch {
  let seen = { at: now(), cpu: cpu() };

  function look(): void {
    const { at, cpu: before } = seen;
    seen = { at: now(), cpu: cpu() };
    const ms = Math.round(seen.at - at - LOOK_EVERY_MS);
    if (ms < BLOCKED_MS) return;
    const suspect = work.mostOf(at, seen.at) ?? 'unknown';
    log.warn(
      { ms, cpuMs: Math.round(seen.cpu - before), work: suspect, open: work.open() },
      'Event loop was blocked',
    );
  }

  const timer = setInterval(look, LOOK_EVERY_MS).unref();
  return { look, close: () => clearInterval(timer) };
}

function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}
