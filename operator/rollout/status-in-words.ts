import { path } from '../../shared/contracts/decision.ts';
import { type Latch } from '../../shared/contracts/control.ts';
import { type RolloutStatus } from '../../shared/rollout/control/read-status.ts';
import { durationInWords } from '../control/duration.ts';
import { inColumns } from '../output.ts';
import { oneLine } from '../terminal-safe.ts';

/** Without a heartbeat for longer than this, there is no leader. */
const SILENT_MS = 5_000;

export function statusInWords(status: RolloutStatus, now: number): string[] {
  const { epoch, since, percentage, rolledBack, frozen, plan, step, flags } = status;
  if (epoch === 0) return ['No command was ever given: each process uses the flags of its own environment.'];
  return [
    `LiteLLM: ${percentage}% of users, since ${iso(step.at)} (phase ${flags['MIGRATION_PHASE']}, epoch ${epoch} since ${iso(since)})`,
    ...(rolledBack ? [latchInWords('Rolled back', rolledBack)] : []),
    ...(frozen ? [latchInWords('Frozen', frozen)] : []),
    ...(plan ? [planInWords(plan, step.at)] : []),
    leaderInWords(status, now),
    instancesInWords(status),
    ...safetyInWords(status, now),
  ];
}

function iso(at: number): string {
  return new Date(at).toISOString();
}

function latchInWords(what: string, { epoch, at, actor, why }: Latch): string {
  return `${what} by ${actor} at ${iso(at)} (epoch ${epoch}): ${oneLine(why)}. \`turnout rollout resume\` ends it.`;
}

function planInWords({ steps, dwellMs, next }: NonNullable<RolloutStatus['plan']>, since: number): string {
  const due = iso(since + dwellMs);
  return `Plan: ${steps.join(', ')}. Next: ${steps[next]}%, after ${durationInWords(dwellMs)} (${due}), if judged safe`;
}

function leaderInWords({ beatAt }: RolloutStatus, now: number): string {
  const seconds = Math.max(0, Math.round((now - beatAt) / 1_000));
  return now - beatAt > SILENT_MS
    ? `Leader: NONE for ${seconds} s. No verdicts and no decisions: the last committed state stays in force.`
    : `Leader: last heartbeat ${seconds} s ago`;
}

function instancesInWords({ epoch, instances }: RolloutStatus): string {
  const behind = instances.filter((one) => one.epoch < epoch);
  const names = behind.map((one) => `${one.service} (${one.epoch})`);
  const line = `Instances: ${instances.length - behind.length} of ${instances.length} have applied epoch ${epoch}`;
  return behind.length === 0 ? line : `${line}. Behind: ${names.join(', ')}`;
}

function safetyInWords({ safety, epoch }: RolloutStatus, now: number): string[] {
  if (!safety) return ['Judge: no verdict in the last minute'];
  const { verdict, evidence, points } = safety;
  const seconds = Math.max(0, Math.round((now - safety.at) / 1_000));
  const before = safety.epoch === epoch ? '' : `, for epoch ${safety.epoch}`;
  const reason = 'why' in verdict ? `: ${verdict.why}` : 'test' in verdict ? `: ${verdict.test}` : '';
  const ms = (value: number | undefined) => (value === undefined ? '-' : `${Math.round(value)} ms`);
  const rows = path.options.map((of) => {
    const { jobs, errorRate, firstTokenMs } = safety[of];
    return [of, String(jobs), `${errorRate}%`, ms(firstTokenMs.p50), ms(firstTokenMs.p95)];
  });
  const tests = Object.entries(evidence).map(
    ([test, found]) => `${test} ${found.evidence.toFixed(2)} of ${found.decisive.toFixed(2)}`,
  );
  return [
    `Judge, ${seconds} s ago${before}: ${verdict.kind}${reason}`,
    ...(tests.length === 0 ? [] : [`Evidence (log10), and the threshold of each test: ${tests.join(', ')}`]),
    ...(points
      ? [`Error rate, LiteLLM minus legacy: ${points.difference} points (${points.low} to ${points.high})`]
      : []),
    ...inColumns([['backend', 'jobs', 'errors', 'first token p50', 'p95'], ...rows]),
  ];
}
