import { type Percentiles } from '../support/timings.ts';
import { type Kind } from './plan.ts';

/** A target recovery time, and the measured one. Milliseconds. */
export interface HeldTo {
  what: string;
  limitMs: number;
  /** The longest silences of clients, over the faults of that kind. Null if there was none. */
  seen: Percentiles | null;
  faults: number;
  /** Judged by the 99th percentile. Null if nothing was measured. */
  met: boolean | null;
}

const TARGETS: readonly { what: string; kind: Kind; limitMs: number }[] = [
  { what: 'a killed worker: its streams continue', kind: 'kill llm-worker', limitMs: 8_000 },
  { what: "a killed router: its partitions' jobs continue", kind: 'kill router', limitMs: 10_000 },
  { what: 'Redis: after its return', kind: 'kill Redis', limitMs: 5_000 },
  { what: 'Kafka: after its return', kind: 'kill Kafka', limitMs: 5_000 },
  { what: "other users during one user's flood", kind: 'flood of large jobs', limitMs: 2_000 },
];

interface Recovery {
  kind: Kind;
  faults: number;
  recoveryMs: Percentiles | null;
}

/** For the kinds that were played. */
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

/** For information only: a time on one machine does not fail the run. */
export function describeTarget({ what, limitMs, seen, faults, met }: HeldTo): string {
  const outcome = met === null ? 'not seen' : met ? 'met' : 'missed';
  const ms = (value: number) => `${value.toFixed(0)} ms`;
  const times = seen === null ? '' : `p50 ${ms(seen.p50)}, p99 ${ms(seen.p99)}, max ${ms(seen.max)}`;
  return `held to ${limitMs / 1_000} s, ${what}: ${times} (${faults} faults): ${outcome}`;
}
