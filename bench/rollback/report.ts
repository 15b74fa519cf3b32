import { type Percentiles, percentilesOf } from '../measure/percentiles.ts';
import { type RollbackFindings } from './measure.ts';
import { type ROLLBACK_HELD_TO } from './plan.ts';

/** `.turnout/reports/rollback.json`; milliseconds since the record of a rollback. */
export interface RollbackReport {
  at: string;
  rollbacks: number;
  instances: number;
  appliedMs: Percentiles;
  lastCallMs: Percentiles;
  /** Calls that LiteLLM got later than a second. */
  lateCalls: number;
  answered: number;
  failed: RollbackFindings['failed'];
  broken: string[];
}

export function toRollbackReport(
  { rounds, instances, answered, failed }: RollbackFindings,
  held: typeof ROLLBACK_HELD_TO,
  at: Date,
): RollbackReport {
  const lastCallMs = percentilesOf(rounds.map((round) => round.lastCallMs));
  const lateCalls = rounds.reduce((sum, round) => sum + round.lateCalls, 0);
  const broken = [
    ...(lastCallMs.p99 > held.lastCallMsP99
      ? [`a job began on LiteLLM ${lastCallMs.p99} ms after the record (p99)`]
      : []),
    ...(Object.keys(failed).length > 0 ? [`users saw errors: ${JSON.stringify(failed)}`] : []),
  ];
  return {
    at: at.toISOString(),
    rollbacks: rounds.length,
    instances,
    appliedMs: percentilesOf(rounds.map((round) => round.appliedMs)),
    lastCallMs,
    lateCalls,
    answered,
    failed,
    broken,
  };
}

export function rollbackText({
  rollbacks,
  instances,
  appliedMs,
  lastCallMs,
  lateCalls,
  answered,
}: RollbackReport): string {
  return [
    `${rollbacks} rollbacks under load, ${answered} requests answered`,
    `record to the last of ${instances} instances that applied it: p50 ${appliedMs.p50} ms, p99 ${appliedMs.p99} ms`,
    `record to the last job that began on LiteLLM: p50 ${lastCallMs.p50} ms, p99 ${lastCallMs.p99} ms; ${lateCalls} later than 1 s`,
  ].join('\n');
}
