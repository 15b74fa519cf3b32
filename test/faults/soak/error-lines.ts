import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { z } from 'zod';

const LEVELS = ['error', 'fatal'] as const;

/** Number of lines that the services logged, by `<level> <service>: <message>`. */
export type ErrorLines = Record<string, number>;

const logLine = z.object({ level: z.enum(LEVELS), msg: z.string() });

/** A request that an instance could not serve while it or a store restarted. The client retried, and availability accounts for it. */
const EXPECTED: readonly RegExp[] = [/^error ingress(-2)?: Request failed$/];

/** Counts lines of level error and fatal in the logs of a folder, except in the file that merges the others. */
export function countErrorLines(folder: string, merged: string): ErrorLines {
  const files = readdirSync(folder).filter((file) => file.endsWith('.log') && file !== merged);
  const counts: ErrorLines = {};
  for (const file of files)
    for (const line of errorsIn(readFileSync(join(folder, file), 'utf8'))) {
      const name = `${line.level} ${basename(file, '.log')}: ${line.msg}`;
      counts[name] = (counts[name] ?? 0) + 1;
    }
  return counts;
}

/** Skips lines that do not parse: those cut off by a kill, and those that Node itself wrote. */
function errorsIn(log: string): z.infer<typeof logLine>[] {
  const candidates = log.split('\n').filter((line) => /"level":"(error|fatal)"/.test(line));
  return candidates.flatMap((line) => logLine.safeParse(parse(line)).data ?? []);
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

export function unexpectedErrors(lines: ErrorLines): string[] {
  return Object.entries(lines)
    .filter(([name]) => !EXPECTED.some((known) => known.test(name)))
    .map(([name, count]) => `${count} lines in the logs: ${name}`);
}

export function describeErrorLines(lines: ErrorLines): string[] {
  const total = Object.values(lines).reduce((sum, count) => sum + count, 0);
  const each = Object.entries(lines).map(([name, count]) => `  ${count} ${name}`);
  return [`${total} lines of level ${LEVELS.join(' or ')} in the logs`, ...each];
}
