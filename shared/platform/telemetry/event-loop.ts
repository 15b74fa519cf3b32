import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Gauge, type Registry } from 'prom-client';
import { type Logger } from '../log/logger.ts';
import { type WorkInProgress, workInProgress } from './work-in-progress.ts';

/** Milliseconds between two samples. */
const RESOLUTION_MS = 10;
/** A figure is that of the last one to two minutes, however many ask for it. Milliseconds. */
const WINDOW_MS = 60_000;
const QUANTILES = [0.5, 0.99, 0.999, 1] as const;

type Delays = readonly number[];

/**
 * `turnout_event_loop_delay_seconds{quantile}`: how late this process gets to what is due, in the last one to two minutes (since the
 * last look, where nobody looked for longer). Quantile 1 is the maximum.
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

/** Node counts the sample's own interval as well. An empty histogram has the largest number there is. */
function delaySeconds(nanoseconds: number): number {
  if (!Number.isFinite(nanoseconds) || nanoseconds > Number.MAX_SAFE_INTEGER) return 0;
  return Math.max(0, nanoseconds / 1e9 - RESOLUTION_MS / 1_000);
}

/** One request blocks an event loop for at most so long. Milliseconds. */
const BLOCKED_MS = 100;
const LOOK_EVERY_MS = 20;

interface LoopWatchOptions {
  log: Pick<Logger, 'warn'>;
  work?: WorkInProgress;
  /** Milliseconds, of a clock that never jumps. */
  now?: () => number;
  /** CPU time of this thread so far, in milliseconds: what threads beside it take holds no event loop up. */
  cpu?: () => number;
}

export interface LoopWatch {
  /** Looks how long ago the last look was. */
  look(): void;
  close(): void;
}

/**
 * Warns when the event loop stood still for 100 ms or longer, with what was done meanwhile. Where `cpuMs` is far less than
 * `ms`, the machine gave the process no time, or it was stopped.
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
