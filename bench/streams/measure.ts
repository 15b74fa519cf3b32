import type { Measured } from '../bench-system.ts';
import { usageOfProcess } from '../measure/process-usage.ts';
import { type ClientProcess, startClient } from './client-process.ts';
import { createStreams } from './create.ts';
import type { STREAMS_PLAN } from './plan.ts';
import type { StreamEnded, Gaps, Opened, ReaderStream } from './protocol.ts';

/** The figures of one time window: the gaps of all readers, and the CPU use of the ingress. */
export interface Window extends Gaps {
  /** Share of one CPU. May be above 1. */
  cpuShare: number;
}

/** Memory in MiB. */
export interface StreamFindings {
  opened: Opened;
  pausedOpened: Opened;
  ended: StreamEnded;
  rssMb: { before: number; allOpen: number; withPaused: number; after: number };
  windows: { before: Window; withPaused: Window; afterwards: Window };
}

interface Measuring {
  measured: Measured;
  plan: typeof STREAMS_PLAN;
  say: (line: string) => void;
}

export async function measureStreams(measuring: Measuring): Promise<StreamFindings> {
  const [readers, sleepers] = await Promise.all([startClient(), startClient()]);
  try {
    return await measureWith(measuring, readers, sleepers);
  } finally {
    await Promise.all([readers.close(), sleepers.close()]);
  }
}

/** All windows are measured during the same streams, so that other load on the machine affects them equally. */
async function measureWith(
  { measured, plan, say }: Measuring,
  readers: ClientProcess,
  sleepers: ClientProcess,
): Promise<StreamFindings> {
  const { ingress = Number.NaN } = measured.pids;
  const rss = () => usageOfProcess({ ingress })['ingress']?.rssMb ?? Number.NaN;
  say('creating the responses');
  const streams = await createStreams(measured.target, plan);
  const before = rss();
  say('opening the streams');
  const opened = await readers.ask(openCommand(measured, plan, streams, plan.readersOfEach));
  say(`${opened.opened} streams are open; measuring`);
  const beforehand = await listen(readers, ingress, plan.windowMs);
  const allOpen = rss();
  say('opening streams that are not read');
  const unread = streams.slice(0, plan.paused.responses);
  const pausedOpened = await sleepers.ask({
    ...openCommand(measured, plan, unread, plan.paused.readersOfEach),
    paused: true,
  });
  say(`${pausedOpened.opened} unread streams are open; measuring again`);
  const withPaused = await listen(readers, ingress, plan.windowMs);
  const rssWithPaused = rss();
  await sleepers.close();
  say('unread streams are closed; measuring once more');
  const afterwards = await listen(readers, ingress, plan.windowMs);
  say('waiting for the streams to end');
  const ended = await readers.ask({ kind: 'finish' });
  return {
    opened,
    pausedOpened,
    ended,
    rssMb: { before, allOpen, withPaused: rssWithPaused, after: rss() },
    windows: { before: beforehand, withPaused, afterwards },
  };
}

function openCommand(
  { target }: Measured,
  { opening: atATime }: typeof STREAMS_PLAN,
  streams: readonly ReaderStream[],
  readersOfEach: number,
) {
  const { baseUrl } = target;
  return { kind: 'open', baseUrl, streams, readersOfEach, paused: false, atATime } as const;
}

async function listen(readers: ClientProcess, ingress: number, forMs: number): Promise<Window> {
  const cpu = () => usageOfProcess({ ingress })['ingress']?.cpuMs ?? Number.NaN;
  const [startedAt, before] = [performance.now(), cpu()];
  const gaps = await readers.ask({ kind: 'listen', forMs });
  return { ...gaps, cpuShare: (cpu() - before) / (performance.now() - startedAt) };
}
