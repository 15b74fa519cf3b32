import { judge, type Verdict } from '../../shared/rollout/judge/judge.ts';
import { GROUPS, type Segment } from '../../shared/rollout/judge/segment.ts';
import { createTally, type Tally } from '../../shared/rollout/judge/tally.ts';
import { slotOf } from '../../shared/rollout/judge/rollout-job.ts';
import { createUsualRules, type UsualRules } from './usual-rules.ts';
import { ROLLOUT_PLAN } from './plan.ts';
import { arrivals, type Outage, type Population, type RandomSource, swing } from './world.ts';

export interface RolloutOptions {
  population: Population;
  jobsPerSecond: number;
  errorRate: number;
  outages: readonly Outage[];
  /** The additional failure rate of the canary, starting at second `from`. */
  fault: { from: number; rate: number } | undefined;
  /** Percentages on LiteLLM. The last one stays in force. */
  steps: readonly number[];
  dwellS: number;
  endS: number;
  /** The judge starts at this second. */
  judgedFromS: number;
  tickS: number;
  random: RandomSource;
}

export interface RolloutResult {
  /** When the judge rolled back, in seconds, and by which test. */
  rolledBackAt: number | undefined;
  test: string | undefined;
  usual: UsualRules['saidAt'];
  /** Whether the last step was reached, and how often each verdict was found by hourly checks. */
  completed: boolean;
  verdicts: Record<string, number>;
}

/** Simulates one rollout job by job, and judges it like the metrics service does. */
export function simulateRollout(options: RolloutOptions): RolloutResult {
  const { tickS, endS, steps, dwellS, judgedFromS } = options;
  const usual = createUsualRules();
  const verdicts: Record<string, number> = {};
  let [step, stepFrom, segment] = [0, 0, 0];
  let tally = createTally();
  /** The completed days of the current step. */
  let days: Segment[] = [];
  let result: { at: number; test: string } | undefined;

  const begin = (next: number) => {
    segment += 1;
    if (next > step) [step, days] = [next, []];
    else days = [...days, tally.segment];
    tally = createTally();
  };
  const verdictAt = (second: number): Verdict =>
    judge({
      percentage: steps[step] ?? 100,
      errorThreshold: 5,
      hasLegacy: true,
      silentMs: 0,
      segments: recentDays(days, tally.segment),
      segment,
      slot: slotOf(second * 1_000),
    }).verdict;

  for (let second = 0; second < endS; second += tickS) {
    // After the judge's rollback, the simulation continues until both usual rules have reacted too.
    if (result && usual.saidAt.threshold !== undefined && usual.saidAt.badChecks !== undefined) break;
    if (second > 0 && second % 86_400 === 0) begin(step);
    const suspicious = runTick(options, { second, percentage: steps[step] ?? 100, tally, usual });
    if (second % 60 === 0 && second >= judgedFromS) usual.check(second);
    const hourly = second % 3_600 === 0;
    if (result || second < judgedFromS || (!suspicious && !hourly)) continue;
    const verdict = verdictAt(second);
    if (verdict.kind === 'rollback') result = { at: second + tickS, test: verdict.test };
    if (!hourly) continue;
    verdicts[verdict.kind] = (verdicts[verdict.kind] ?? 0) + 1;
    const grows = verdict.kind === 'safe' && second - stepFrom >= dwellS && step < steps.length - 1;
    if (!grows) continue;
    stepFrom = second;
    begin(step + 1);
  }
  return {
    rolledBackAt: result?.at,
    test: result?.test,
    usual: usual.saidAt,
    verdicts,
    completed: step === steps.length - 1,
  };
}

/** Today, and the day before if it belongs to the same step. */
function recentDays(days: readonly Segment[], today: Segment): [Segment, ...Segment[]] {
  const yesterday = days.at(-1);
  return yesterday ? [yesterday, today] : [today];
}

interface Tick {
  second: number;
  percentage: number;
  tally: Tally;
  usual: UsualRules;
}

/** True if a canary job failed or was slow, which could change the verdict. */
function runTick(options: RolloutOptions, { second, percentage, tally, usual }: Tick): boolean {
  const { population, jobsPerSecond, errorRate, outages, fault, tickS, random } = options;
  const outage = outages.find(({ from, until }) => second >= from && second < until)?.severity ?? 0;
  const slot = slotOf(second * 1_000);
  let suspicious = false;
  for (let left = arrivals(jobsPerSecond * swing(second) * tickS, random); left > 0; left -= 1) {
    const user = population.draw();
    const arm = (population.bucket[user] ?? 0) * 100 < percentage ? 'canary' : 'control';
    const own = Math.min(1, errorRate * (population.failing[user] ?? 1));
    const both = 1 - (1 - own) * (1 - outage);
    const extra = arm === 'canary' && fault && second >= fault.from ? fault.rate : 0;
    const fails = random() < 1 - (1 - both) * (1 - extra);
    const failed = !fails ? undefined : random() < both ? 'lost' : 'saved';
    const slow = random() < (outage > 0 ? ROLLOUT_PLAN.slow.outage : ROLLOUT_PLAN.slow.usual);
    tally.add({ user, group: user % GROUPS, arm, slot, failed, slow });
    if (arm !== 'canary') continue;
    usual.add(fails);
    suspicious ||= fails || slow;
  }
  return suspicious;
}
