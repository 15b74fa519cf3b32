import { type ControlState } from '../../../shared/contracts/control.ts';
import { type Backend, path as backends } from '../../../shared/contracts/decision.ts';
import { flagsOf, shareInForce } from '../../../shared/rollout/control/apply-command.ts';
import { type Logger } from '../../../shared/platform/log/logger.ts';
import { type Judgement } from '../../../shared/rollout/judge/judge.ts';
import { judgeState } from '../../../shared/rollout/control/judge-state.ts';
import { type SafetyMetrics } from '../../../shared/rollout/judge/safety-metrics.ts';
import { type Term } from './term.ts';
import { type Histogram, quantile } from '../counts/histogram.ts';
import { type RolloutFigures } from '../rollout/figures.ts';
import { proposalOf } from '../rollout/proposal.ts';

interface WatchDeps {
  figures: (step: ControlState['step'], now: number) => Promise<RolloutFigures>;
  hasLegacy: boolean;
  /** Stores the safety metrics for status requests. */
  keep: (safety: SafetyMetrics) => Promise<void>;
  log: Logger;
}

/** How often the safety metrics are logged; they are also logged at each new verdict. */
const LOG_EVERY_MS = 30_000;
const ALARM_MS = 60_000;
/** With fewer jobs than this, there is no alert on the error rate. */
const FEWEST = 50;
/** A command that is not decided within this time, usually because Kafka is unavailable, is sent again. */
const PROPOSE_AGAIN_MS = 5_000;

/** Judges the rollout each time that it is called, logs the result, and proposes the command that follows. */
export type Watch = (term: Pick<Term, 'state' | 'propose'>) => Promise<void>;

export function createWatch({ figures: read, hasLegacy, keep, log }: WatchDeps): Watch {
  let troubledAt = Date.now();
  let loggedAt = 0;
  let loggedVerdict = '';
  const alarmedAt = new Map<Backend, number>();
  let proposed = { epoch: -1, at: 0 };

  function logSafety(state: ControlState, { at, ...safety }: SafetyMetrics): void {
    const { verdict } = safety;
    const text = JSON.stringify(verdict);
    const isNew = text !== loggedVerdict;
    if (!isNew && at - loggedAt < LOG_EVERY_MS) return;
    [loggedVerdict, loggedAt] = [text, at];
    log.info(safety, 'Safety metrics');
    if (verdict.kind === 'freeze' && isNew) log.warn(verdict, 'The rollout cannot continue');
    if (verdict.kind === 'rollback' && !flagsOf(state).ENABLE_ROLLBACK)
      log.error(verdict, 'A rollback is due, and ENABLE_ROLLBACK=false forbids it');
  }

  function alarm(state: ControlState, { at, ...safety }: SafetyMetrics): void {
    const threshold = flagsOf(state).ERROR_THRESHOLD;
    for (const backend of backends.options) {
      const { jobs, failures, errorRate } = safety[backend];
      if (jobs < FEWEST || errorRate <= threshold || at - (alarmedAt.get(backend) ?? 0) < ALARM_MS) continue;
      alarmedAt.set(backend, at);
      log.error({ path: backend, errorRate, threshold, jobs, failures }, 'High error rate detected');
    }
  }

  return async (term) => {
    const state = term.state();
    const now = Date.now();
    const figures = await read(state.step, now);
    const judgement = judgeState(state, figures, { now, hasLegacy });
    const safety = toSafetyMetrics(state, judgement, { figures, now });
    logSafety(state, safety);
    alarm(state, safety);
    if (judgement.verdict.kind === 'freeze') troubledAt = now;
    const proposal = proposalOf(state, judgement, { now, troubledAt });
    const wasSent = proposed.epoch === state.epoch && now - proposed.at < PROPOSE_AGAIN_MS;
    if (proposal && !wasSent) {
      proposed = { epoch: state.epoch, at: now };
      await term.propose(proposal.actor, proposal.instruction);
    }
    await keep(safety);
  };
}

function toSafetyMetrics(
  state: ControlState,
  { verdict, tests, difference }: Judgement,
  { figures: { windows, firstTokens }, now }: { figures: RolloutFigures; now: number },
): SafetyMetrics {
  const ofBackend = ({ jobs, failures }: RolloutFigures['windows'][Backend], times: Histogram) => ({
    jobs,
    failures,
    errorRate: percent(failures, jobs),
    firstTokenMs: { p50: quantile(times, 0.5), p95: quantile(times, 0.95) },
  });
  const points = difference && {
    difference: percent(difference.difference, 1),
    low: percent(difference.low, 1),
    high: percent(difference.high, 1),
  };
  return {
    at: now,
    epoch: state.epoch,
    percentage: shareInForce(state),
    verdict,
    points,
    evidence: tests,
    litellm: ofBackend(windows.litellm, firstTokens.canary),
    legacy: ofBackend(windows.legacy, firstTokens.control),
  };
}

/** Rounded to two decimals. */
function percent(part: number, whole: number): number {
  return whole === 0 ? 0 : Math.round((part / whole) * 10_000) / 100;
}
