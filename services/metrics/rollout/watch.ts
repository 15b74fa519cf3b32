import { type ControlState } from '../../../shared/contracts/control.ts';
import { type Path } from '../../../shared/contracts/decision.ts';
import { flagsOf, shareInForce } from '../../../shared/control/apply-command.ts';
import { type Logger } from '../../../shared/log/logger.ts';
import { type Judgement } from '../../../shared/rollout/judge/judge.ts';
import { type Term } from '../control/term.ts';
import { type Histogram, quantile } from '../histogram.ts';
import { type RolloutFigures } from './figures.ts';
import { judgeState, proposalOf } from './judge-state.ts';

interface WatchDeps {
  figures: (step: ControlState['step'], now: number) => Promise<RolloutFigures>;
  hasLegacy: boolean;
  log: Logger;
}

/** What the rollout is judged by was told this often, and at each new verdict. */
const TELL_MS = 30_000;
const ALARM_MS = 60_000;
/** Fewer jobs than these have no rate. */
const FEWEST = 50;
/** A command that nobody answered, for want of Kafka as a rule, is sent again. */
const PROPOSE_AGAIN_MS = 5_000;

/** The last judgement, for whoever asks. */
export interface Watched {
  at: number;
  judgement: Judgement;
  figures: RolloutFigures;
}

/** The leader's eyes: judges each time that it is called, tells the log, and proposes what follows. */
export function createWatch({ figures: read, hasLegacy, log }: WatchDeps) {
  let watched: Watched | undefined;
  let troubledAt = Date.now();
  let toldAt = 0;
  let toldVerdict = '';
  const alarmedAt = new Map<Path, number>();
  let proposed = { epoch: -1, at: 0 };

  function tell(state: ControlState, { at, judgement, figures }: Watched): void {
    const verdict = JSON.stringify(judgement.verdict);
    if (verdict === toldVerdict && at - toldAt < TELL_MS) return;
    [toldVerdict, toldAt] = [verdict, at];
    log.info(safetyMetrics(state, judgement, figures), 'Safety metrics');
    if (judgement.verdict.kind === 'freeze') log.error(judgement.verdict, 'The rollout cannot go on');
    if (judgement.verdict.kind === 'rollback' && !flagsOf(state).ENABLE_ROLLBACK)
      log.error(judgement.verdict, 'A rollback is due, and ENABLE_ROLLBACK=false forbids it');
  }

  function alarm(state: ControlState, { at, figures }: Watched): void {
    const threshold = flagsOf(state).ERROR_THRESHOLD;
    for (const [path, { jobs, failures }] of Object.entries(figures.windows) as WindowEntry[]) {
      const errorRate = percent(failures, jobs);
      if (jobs < FEWEST || errorRate <= threshold || at - (alarmedAt.get(path) ?? 0) < ALARM_MS) continue;
      alarmedAt.set(path, at);
      log.error({ path, errorRate, threshold, jobs, failures }, 'High error rate detected');
    }
  }

  return {
    last: () => watched,
    look: async (term: Pick<Term, 'state' | 'propose'>): Promise<void> => {
      const state = term.state();
      const now = Date.now();
      const figures = await read(state.step, now);
      const judgement = judgeState(state, figures, { now, hasLegacy });
      watched = { at: now, judgement, figures };
      tell(state, watched);
      alarm(state, watched);
      if (judgement.verdict.kind === 'freeze') troubledAt = now;
      const proposal = proposalOf(state, judgement, { now, troubledAt });
      const wasSent = proposed.epoch === state.epoch && now - proposed.at < PROPOSE_AGAIN_MS;
      if (!proposal || wasSent) return;
      proposed = { epoch: state.epoch, at: now };
      await term.propose(proposal.actor, proposal.instruction);
    },
  };
}
export type Watch = ReturnType<typeof createWatch>;

type WindowEntry = [Path, RolloutFigures['windows'][Path]];

/** Rates in percent, latencies in milliseconds. */
function safetyMetrics(
  state: ControlState,
  { verdict, tests, difference }: Judgement,
  { windows, firstTokens }: RolloutFigures,
) {
  const pathMetrics = ({ jobs, failures }: RolloutFigures['windows'][Path], times: Histogram) => ({
    ...{ jobs, errorRate: percent(failures, jobs) },
    firstTokenMs: { p50: quantile(times, 0.5), p95: quantile(times, 0.95) },
  });
  const points = difference && {
    difference: percent(difference.difference, 1),
    low: percent(difference.low, 1),
    high: percent(difference.high, 1),
  };
  return {
    ...{ epoch: state.epoch, percentage: shareInForce(state), verdict, points, evidence: tests },
    litellm: pathMetrics(windows.litellm, firstTokens.canary),
    legacy: pathMetrics(windows.legacy, firstTokens.control),
  };
}

/** Two decimals. */
function percent(part: number, whole: number): number {
  return whole === 0 ? 0 : Math.round((part / whole) * 10_000) / 100;
}
