import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { z } from 'zod';

/** Work that stopped an event loop, as the service itself named it. */
export interface Blocked {
  service: string;
  work: string;
  times: number;
  /** The longest time, and the processor's time meanwhile: far less of it means that the machine was busy with others. */
  ms: number;
  cpuMs: number;
}

const line = z.object({
  time: z.iso.datetime(),
  msg: z.literal('Event loop was blocked'),
  work: z.string(),
  ms: z.number(),
  cpuMs: z.number(),
});

/** From the logs of a folder, but for the file that merges the others. */
export function blockedSince(folder: string, since: number): Blocked[] {
  const files = readdirSync(folder).filter((file) => file.endsWith('.log') && file !== 'turnout.log');
  return files.flatMap((file) =>
    blockedIn(basename(file, '.log'), readFileSync(join(folder, file), 'utf8'), since),
  );
}

export function blockedIn(service: string, log: string, since: number): Blocked[] {
  const lines = log
    .split('\n')
    .filter((text) => text.includes('Event loop was blocked'))
    .flatMap((text) => line.safeParse(parse(text)).data ?? [])
    .filter(({ time }) => Date.parse(time) >= since);
  return [...Map.groupBy(lines, ({ work }) => work)].map(([work, group]) => ({
    service,
    work,
    times: group.length,
    ms: Math.max(...group.map(({ ms }) => ms)),
    cpuMs: Math.max(...group.map(({ cpuMs }) => cpuMs)),
  }));
}

/** A line that is being written is none yet. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
