import { type ReplayedEpoch, replayStates } from '../../../shared/rollout/control/replay-states.ts';
import { type Judgement } from '../../../shared/rollout/judge/judge.ts';
import { auditOf } from '../../control/audit-of.ts';
import { instructionInWords } from '../../control/instruction-in-words.ts';
import { CommandFailed, type OperatorContext } from '../../context.ts';
import { toJsonLine } from '../../output.ts';
import { needing, type Stores, withStores } from '../../stores.ts';
import { isJudged, replayDecision, type ReplayedDecision, type SeenJob } from './replay-decision.ts';
import { type RolloutJob, rolloutJobOf } from '../../../shared/rollout/judge/rollout-job.ts';
import { readOutcomes } from '../../read-outcomes.ts';
import { metricsKey, sectionField, sectionName } from '../../../shared/contracts/section-names.ts';

export interface ReplayOptions {
  /** The first epoch that is replayed. */
  from: number;
  /** False if the system had no legacy backend. */
  legacy: boolean;
  json?: true;
}

interface Decision {
  epoch: ReplayedEpoch;
  replayed: ReplayedDecision;
}

/**
 * Rebuilds every state from the audit, and every decision of the judge and the plan from the jobs' outcomes. Throws
 * `CommandFailed` if any of them differs from what is recorded.
 */
export async function showReplay(
  context: OperatorContext,
  { from, legacy: hasLegacy, json }: ReplayOptions,
): Promise<void> {
  const settings = context.settings();
  const { problems, epochs, decisions } = await withStores(settings, async (stores) => {
    const states = replayStates(await auditOf(stores));
    const judged = states.epochs.filter((epoch) => epoch.after.epoch >= from && isJudged(epoch));
    const jobs = await readJobs(stores, new Set(judged.map(({ before }) => before.step.epoch)));
    const slowFrom = await readSlowFrom(stores, settings.REDIS_PREFIX, jobs);
    const replayed = judged.map((epoch): Decision => ({
      epoch,
      replayed: replayDecision(epoch, { jobs, slowFrom, hasLegacy }),
    }));
    return { ...states, decisions: replayed };
  });
  for (const decision of decisions)
    for (const line of json ? [jsonOf(decision)] : inWords(decision)) context.print(line);
  const otherwise = decisions.filter(({ replayed }) => !replayed.agrees).length;
  for (const problem of problems) context.complain(problem);
  if (otherwise + problems.length > 0)
    throw new CommandFailed(
      `${otherwise} of ${decisions.length} decisions and ${problems.length} states differ from the record.`,
    );
  if (!json)
    context.print(`${epochs.length} epochs and ${decisions.length} decisions agree with the record.`);
}

function inWords({ epoch, replayed }: Decision): string[] {
  const { command, decidedAt, after } = epoch;
  const { verdict } = replayed;
  const reason = 'why' in verdict ? `: ${verdict.why}` : 'test' in verdict ? `: ${verdict.test}` : '';
  const recorded = evidenceOf(epoch);
  return [
    `Epoch ${after.epoch}, ${new Date(decidedAt).toISOString()}, ${command.actor}: ${instructionInWords(command.instruction)}`,
    `  replayed: ${verdict.kind}${reason}${replayed.agrees ? '' : ' (DIFFERENT)'}`,
    ...Object.entries(replayed.tests).map(
      ([test, found]) =>
        `  ${test}: evidence ${found.evidence.toFixed(2)} of ${found.decisive.toFixed(2)}, recorded ${recorded(test)}`,
    ),
  ];
}

/** The evidence that the command recorded. Only for display: it may have been written by another version. */
function evidenceOf({ command: { instruction } }: ReplayedEpoch): (test: string) => string {
  const evidence = 'evidence' in instruction ? instruction.evidence : undefined;
  const { tests } = (evidence ?? {}) as { tests?: Partial<Record<string, { evidence?: number }>> };
  return (test) => tests?.[test]?.evidence?.toFixed(2) ?? 'nothing';
}

interface ReplayRecord {
  epoch: number;
  decidedAt: number;
  instruction: ReplayedEpoch['command']['instruction'];
  verdict: Judgement['verdict'];
  tests: Judgement['tests'];
  agrees: boolean;
}

function jsonOf({ epoch: { command, decidedAt, after }, replayed }: Decision): string {
  const record: ReplayRecord = {
    epoch: after.epoch,
    decidedAt,
    instruction: command.instruction,
    ...replayed,
  };
  return toJsonLine(record);
}

/** The jobs of these steps whose outcomes are still in Kafka, each once. */
async function readJobs(stores: Stores, steps: ReadonlySet<number>): Promise<SeenJob[]> {
  const seen = await readOutcomes(stores);
  return seen.flatMap(({ outcome, seenAt }) => {
    const job = rolloutJobOf(outcome);
    return job && steps.has(job.step) ? [{ ...job, at: outcome.at, seenAt }] : [];
  });
}

/** The metrics service's threshold for each job's slot: a first token that takes more milliseconds is slow. */
async function readSlowFrom(
  { redis, addresses }: Stores,
  redisPrefix: string,
  jobs: readonly RolloutJob[],
): Promise<(job: RolloutJob) => number | undefined> {
  const names = [...new Set(jobs.map(sectionOf))];
  const read = async (name: string) =>
    [name, await needing(addresses.redis, redis.hgetall(metricsKey(redisPrefix, name)))] as const;
  const sections = new Map(await Promise.all(names.map(read)));
  return (job) => {
    const text = sections.get(sectionOf(job))?.[sectionField.slowFrom(job.slot)];
    return text === undefined ? undefined : Number(text);
  };
}

function sectionOf({ step, day }: RolloutJob): string {
  return sectionName.segment(step, day);
}
