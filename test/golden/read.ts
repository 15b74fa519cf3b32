import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Recorded } from './capture.ts';
import { type Text } from './recording.ts';

/** What release 0.1.0 has written; see the README of this folder. */
export function readGolden(): Recorded & { values: Record<string, unknown> } {
  const folder = join(import.meta.dirname, '0.1.0');
  const read = (name: string) => JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8')) as unknown;
  const all: unknown = Object.fromEntries(FILES.map((name) => [name, read(name)]));
  return all as ReturnType<typeof readGolden>;
}

const FILES = [
  'facts',
  'values',
  'jobs',
  'dead-letters',
  'events',
  'control',
  'control-state',
  'job-redis',
  'cache-redis',
  'blobs',
  'logs',
] as const satisfies readonly (keyof Recorded | 'values')[];

/** The JSON value of a text; undefined if it is not JSON. */
export function jsonOf(text: Text | undefined): unknown {
  return typeof text === 'object' && 'json' in text ? text.json : undefined;
}
