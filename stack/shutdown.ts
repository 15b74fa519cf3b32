import { infrastructureParts } from './infrastructure.ts';
import type { Layout } from './layout.ts';
import { type PidRecord, readPidRecords } from './pid-record.ts';
import { stopRecorded } from './process.ts';
import { serviceNames } from './services.ts';

/**
 * The stop order: the ingress, which accepts requests, stops first; the infrastructure, which the others depend on, stops last.
 * Processes of one wave stop at the same time. Further instances (`router-2`) stop with their service.
 */
const WAVES: readonly (readonly string[])[] = [
  ['ingress'],
  ['router'],
  ['llm-worker', 'context-worker'],
  serviceNames.filter((name) => name === 'metrics' || name === 'cache'),
  infrastructureParts,
];

/** Splits records into the waves in which they stop. Processes that are in no wave stop first. */
export function stopOrder<T extends Pick<PidRecord, 'name'>>(records: readonly T[]): T[][] {
  const waveOf = ({ name }: T): number =>
    WAVES.findIndex((wave) =>
      wave.some(
        (member) => name === member || (/^-\d+$/.test(name.slice(member.length)) && name.startsWith(member)),
      ),
    );
  return [-1, ...WAVES.keys()]
    .map((wave) => records.filter((record) => waveOf(record) === wave))
    .filter((wave) => wave.length > 0);
}

export interface StopOptions {
  /** How long each process may take before it is killed. Default: the value in its record. */
  readonly graceMs?: number;
  readonly say?: (line: string) => void;
}

/** Stops every recorded process of this layout. Returns how many were running. */
export async function stopAll(layout: Layout, options: StopOptions = {}): Promise<number> {
  let running = 0;
  for (const wave of stopOrder(readPidRecords(layout.run))) {
    await Promise.all(
      wave.map(async (record) => {
        const outcome = await stopRecorded(record, layout.run, options.graceMs);
        if (outcome !== 'was not running') running += 1;
        options.say?.(`${record.name}: ${outcome}`);
      }),
    );
  }
  return running;
}
