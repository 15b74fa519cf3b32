import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { z } from 'zod';

/** Work that blocked an event loop, as reported in the service's log. */
export interface Blocked {
  service: string;
  work: string;
  times: number;
  /** The longest block, and the longest CPU time of a block. If it is much shorter, the machine was busy with other processes. */
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

/** Reads all logs of a folder except the merged one. */
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

/** Undefined for an incomplete line. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
