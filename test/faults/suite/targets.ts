import { type Percentiles } from '../support/timings.ts';
import { type Kind } from './plan.ts';

/** A recovery time that was promised, and what was seen. Milliseconds. */
export interface HeldTo {
  what: string;
  limitMs: number;
  /** The longest silence that a client sat through, over the faults of that kind. Null: there was none. */
  seen: Percentiles | null;
  faults: number;
  /** By the 99th percentile; null: nothing was seen. */
  met: boolean | null;
}

const TARGETS: readonly { what: string; kind: Kind; limitMs: number }[] = [
  { what: 'a killed worker: its streams go on', kind: 'kill llm-worker', limitMs: 8_000 },
  { what: "a killed router: its partitions' jobs go on", kind: 'kill router', limitMs: 10_000 },
  { what: 'Redis: after its return', kind: 'kill Redis', limitMs: 5_000 },
  { what: 'Kafka: after its return', kind: 'kill Kafka', limitMs: 5_000 },
  { what: "others beside one user's flood", kind: 'flood of large jobs', limitMs: 2_000 },
];

interface Recovery {
  kind: Kind;
  faults: number;
  recoveryMs: Percentiles | null;
}

/** Of the kinds that were tried. */
export function holdToTargets(byKind: readonly Recovery[]): HeldTo[] {
  return TARGETS.flatMap(({ what, kind, limitMs }) =>
    byKind
      .filter((tally) => tally.kind === kind)
      .map(({ recoveryMs: seen, faults }) => ({
        what,
        limitMs,
        seen,
        faults,
        met: seen === null ? null : seen.p99 <= limitMs,
      })),
  );
}

/** For reading only: how long something took on one machine fails nothing. */
export function describeTarget({ what, limitMs, seen, faults, met }: HeldTo): string {
  const outcome = met === null ? 'not seen' : met ? 'met' : 'missed';
  const ms = (value: number) => `${value.toFixed(0)} ms`;
  const times = seen === null ? '' : `p50 ${ms(seen.p50)}, p99 ${ms(seen.p99)}, max ${ms(seen.max)}`;
  return `held to ${limitMs / 1_000} s, ${what}: ${times} (${faults} faults): ${outcome}`;
}
