import { type Percentiles, percentilesOf } from '../measure/percentiles.ts';
import { type RollbackFindings } from './measure.ts';
import { type ROLLBACK_HELD_TO } from './plan.ts';

/** `.turnout/reports/rollback.json`. Milliseconds since the rollback was recorded. */
export interface RollbackReport {
  at: string;
  rollbacks: number;
  instances: number;
  appliedMs: Percentiles;
  lastCallMs: Percentiles;
  /** Calls that LiteLLM received more than a second later. */
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
      ? [`a job started on LiteLLM ${lastCallMs.p99} ms after the rollback was recorded (p99)`]
      : []),
    ...(Object.keys(failed).length > 0 ? [`requests failed: ${JSON.stringify(failed)}`] : []),
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
    `from the record until all ${instances} instances applied it: p50 ${appliedMs.p50} ms, p99 ${appliedMs.p99} ms`,
    `from the record to the last job that started on LiteLLM: p50 ${lastCallMs.p50} ms, p99 ${lastCallMs.p99} ms; ${lateCalls} later than 1 s`,
  ].join('\n');
}
