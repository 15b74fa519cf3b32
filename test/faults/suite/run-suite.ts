import { setTimeout as delay } from 'node:timers/promises';
import { until } from '../../../stack/until.ts';
import { generator } from '../../upstream/core/random.ts';
import { deadLetters, isOfLostRecord } from '../support/dead-letters.ts';
import { readStream } from '../support/reading.ts';
import { callsOf, undisturbed } from '../support/simulator.ts';
import { type JobView } from '../../../shared/jobs/joblog/job-log.ts';
import { inspectAftermath } from './aftermath.ts';
import { playClient, type Testimony } from './client.ts';
import { DEADLINE_MS, type Ground } from './ground.ts';
import { failureOf } from './failures.ts';
import { judge, type Verdict } from './judge.ts';
import { type JobPlan, type Kind, quietKinds, type Round, type SuitePlan } from './plan.ts';
import { type SuiteQuestion } from './questions.ts';
import { longestSilence } from './silence.ts';
import { strikes } from './strikes.ts';
import { POISON_PER_FAULT } from './strikes/kafka.ts';
import { type Struck } from './strikes/strike.ts';
import { complaintsOf, type FaultReport, type RoundResult, toReport } from './tally.ts';

export interface Suite {
  ground: Ground;
  plan: SuitePlan;
  questions: readonly SuiteQuestion[];
  say: (line: string) => void;
}

/** The observations of one run, from which reports over several runs are made. */
export interface SuiteResult {
  rounds: readonly RoundResult[];
  leftovers: readonly string[];
  seconds: number;
}

export async function runSuite(suite: Suite): Promise<FaultReport> {
  return mergeResults(suite.plan.seed, [await playSuite(suite)]);
}

export function mergeResults(seed: number, results: readonly SuiteResult[]): FaultReport {
  return toReport(
    results.flatMap(({ rounds }) => rounds),
    {
      seed,
      leftovers: results.flatMap(({ leftovers }) => leftovers),
      at: new Date().toISOString(),
      seconds: results.reduce((sum, { seconds }) => sum + seconds, 0),
    },
  );
}

/** Plays one fault after another, each under its own load and judged before the next, and then inspects the system as a whole. */
export async function playSuite(suite: Suite): Promise<SuiteResult> {
  const startedAt = performance.now();
  const expected = await Promise.all(
    suite.questions.map((question) => expectedAnswer(suite.ground, question)),
  );
  const rounds: RoundResult[] = [];
  for (const round of suite.plan.rounds) rounds.push(await playRound(suite, round, expected));
  const roundsOf = (wanted: Kind) => rounds.filter(({ kind }) => kind === wanted).length;
  const past = {
    poisonSent: roundsOf('poison messages') * POISON_PER_FAULT,
    failedOver: roundsOf('lossy failover') > 0,
  };
  return {
    rounds,
    leftovers: await inspectAftermath(suite.ground, past),
    seconds: Math.round((performance.now() - startedAt) / 1_000),
  };
}

/** For documents, the prompt is ours and not the client's, so the expected answer comes from the undisturbed system. */
export async function expectedAnswer(ground: Ground, { body, direct }: SuiteQuestion): Promise<string> {
  if (direct) return undisturbed(body);
  const reading = readStream({ url: ground.ingresses[0], apiKey: ground.apiKeys[0] ?? '', body });
  await reading.over;
  if (!reading.done()) throw new Error(`The undisturbed system did not answer: ${reading.error() ?? 'cut'}`);
  return reading.text();
}

async function playRound(suite: Suite, round: Round, expected: readonly string[]): Promise<RoundResult> {
  const { ground, plan, say } = suite;
  const { struck, testimonies } = await (quietKinds.has(round.kind) ? strikeBetween : strikeUnderLoad)(
    suite,
    round,
  );
  await allEnded(ground);
  const letters = round.kind === 'lossy failover' ? await lettersOfLostRecords(ground) : undefined;
  const judged = await Promise.all(
    testimonies.map((testimony) =>
      judgeOne(ground, testimony, { expected: expected[testimony.plan.question] ?? '', letters }),
    ),
  );
  const verdicts = judged.map(({ verdict }) => verdict);
  const failures = judged.flatMap(({ view }, at) => {
    const testimony = testimonies[at];
    return (testimony && failureOf(round.kind, testimony, view)) ?? [];
  });
  const silence = longestSilence(testimonies, struck.since);
  const recoveryMs = silence === undefined ? [] : [silence];
  const found = (await struck.after?.()) ?? [];
  const result = { kind: round.kind, verdicts, failures, recoveryMs, found };
  const ended = verdicts.filter(({ status }) => status === 'completed').length;
  say(
    `${round.number + 1}/${plan.rounds.length} ${round.kind}: ${ended}/${verdicts.length} completed, longest silence ${silence ?? '-'} ms`,
  );
  for (const { code, byDesign } of failures) if (!byDesign) say(`  a job failed: ${code}`);
  for (const complaint of complaintsOf(result)) say(`  ${complaint}`);
  return result;
}

interface Fought {
  struck: Struck;
  testimonies: Testimony[];
}

async function strikeUnderLoad(suite: Suite, round: Round): Promise<Fought> {
  const testimonies = playClients(suite, round.jobs);
  await delay(round.strikeAfterMs);
  const struck = await strike(suite.ground, round);
  return { struck, testimonies: await testimonies };
}

/** The jobs that start before the fault end before it occurs; the others start after it. */
async function strikeBetween(suite: Suite, round: Round): Promise<Fought> {
  const { strikeAfterMs: at, jobs } = round;
  const before = await playClients(
    suite,
    jobs.filter(({ startAfterMs }) => startAfterMs < at),
  );
  await allEnded(suite.ground);
  const struck = await strike(suite.ground, round);
  const later = jobs.filter(({ startAfterMs }) => startAfterMs >= at);
  const after = await playClients(
    suite,
    later.map((job) => ({ ...job, startAfterMs: job.startAfterMs - at })),
  );
  return { struck, testimonies: [...before, ...after] };
}

/** A fault that could not be applied is a complaint. It does not abort a run of hours. */
async function strike(ground: Ground, { kind, seed }: Round): Promise<Struck> {
  try {
    return await strikes[kind](ground, generator(seed));
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    return { since: Date.now(), after: () => Promise.resolve([words]) };
  }
}

function playClients({ ground, questions }: Suite, jobs: readonly JobPlan[]): Promise<Testimony[]> {
  const clients = jobs.map((job) => {
    const question = questions[job.question];
    if (!question) throw new Error(`There is no question ${job.question}`);
    return playClient({ plan: job, question, ingresses: ground.ingresses, apiKeys: ground.apiKeys });
  });
  return Promise.all(clients);
}

async function allEnded({ store }: Ground): Promise<void> {
  const ended = async () => (await store.open()).length === 0;
  await until(ended, { timeoutMs: DEADLINE_MS + 10_000, everyMs: 50 });
}

interface Judged {
  verdict: Verdict;
  view: JobView | undefined;
}

interface Known {
  /** The expected answer. */
  expected: string;
  /** The jobs that the router sent to the dead-letter topic. Undefined if there was no failover. */
  letters: ReadonlySet<string> | undefined;
}

async function judgeOne(ground: Ground, testimony: Testimony, { expected, letters }: Known): Promise<Judged> {
  const { jobId } = testimony;
  const [view, calls] =
    jobId === undefined ? [undefined, []] : await Promise.all([ground.store.view(jobId), callsOf(jobId)]);
  const failover = letters && { failover: { isDeadLetter: letters.has(jobId ?? '') } };
  return { verdict: judge({ testimony, view, calls, expected, ...failover }), view };
}

async function lettersOfLostRecords({ services }: Ground): Promise<ReadonlySet<string>> {
  const letters = await deadLetters(services.prefix);
  return new Set(letters.filter(isOfLostRecord).map(({ originalId }) => originalId));
}
