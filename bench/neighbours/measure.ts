import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { JobStore } from '../../test/faults/support/job-store.ts';
import type { MeasuredTurnout } from '../bench-system.ts';
import { keyOf } from '../fairness/calls.ts';
import { type Blocked, blockedSince } from './blocked-loops.ts';
import { type LoopDelay, loopDelaysSince } from './event-loops.ts';
import type { Neighbours, NeighbourStream } from './neighbours.ts';
import { NEIGHBOURS_PLAN } from './plan.ts';
import { type Silences, silencesIn } from './silences.ts';
import type { TroubleOrder } from './trouble-thread.ts';
import type { Answers } from './troublemaker.ts';

/** The effects of one trouble on the neighbours. */
export interface NeighbourFindings extends Silences {
  trouble: string;
  seconds: number;
  /** The neighbours' streams. */
  jobs: number;
  /** The most attempts that one of their jobs needed. */
  attempts: number;
  /** The number of streams that did not end correctly, by reason. */
  failures: Record<string, number>;
  /** The answers to the troublemaker's requests. */
  answers: Answers;
  /** By service. */
  loops: Record<string, LoopDelay>;
  blocked: Blocked[];
}

export interface Measuring {
  measured: MeasuredTurnout;
  /** The URL of each process, by instance name. */
  urls: Readonly<Record<string, string>>;
  neighbours: Neighbours;
  store: JobStore;
}

/** Measures the neighbours while the trouble lasts, at least for `phaseMs`, and until all streams of that time have ended. */
export async function measureTrouble(
  { measured, urls, neighbours, store }: Measuring,
  trouble: string,
  cause: () => Promise<Answers>,
): Promise<NeighbourFindings> {
  await loopDelaysSince(urls);
  const from = Date.now();
  const [answers] = await Promise.all([cause(), delay(NEIGHBOURS_PLAN.phaseMs)]);
  const to = Date.now();
  const streams = neighbours.since(from);
  const loops = await loopDelaysSince(urls);
  const silences = silencesIn(streams, { from, to });
  await Promise.all(streams.map(({ over }) => over));
  return {
    trouble,
    seconds: Math.round((to - from) / 1_000),
    ...silences,
    jobs: streams.length,
    attempts: await mostAttempts(store, streams),
    failures: countFailures(streams),
    answers,
    loops,
    blocked: blockedSince(measured.logs, from),
  };
}

/** Causes the trouble in a separate thread. Rejects if the thread fails. */
export async function causeInThread({ target }: MeasuredTurnout, name: string): Promise<Answers> {
  const order: TroubleOrder = {
    name,
    baseUrl: target.baseUrl,
    key: keyOf(target, NEIGHBOURS_PLAN.troublemaker),
  };
  const thread = new Worker(new URL('trouble-thread.ts', import.meta.url), { workerData: order });
  const [answers] = (await once(thread, 'message')) as [Answers];
  await thread.terminate();
  return answers;
}

async function mostAttempts(store: JobStore, streams: readonly NeighbourStream[]): Promise<number> {
  const ids = streams.flatMap(({ jobId }) => jobId ?? []);
  const counts = await Promise.all(
    ids.map(async (id) => (await store.events(id)).filter(({ type }) => type === 'attempt').length),
  );
  return Math.max(0, ...counts);
}

function countFailures(streams: readonly NeighbourStream[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { complaint } of streams)
    if (complaint !== undefined) counts[complaint] = (counts[complaint] ?? 0) + 1;
  return counts;
}
