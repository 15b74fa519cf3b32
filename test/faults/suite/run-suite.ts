import { setTimeout as delay } from 'node:timers/promises';
import { until } from '../../../stack/until.ts';
import { generator } from '../../upstream/core/random.ts';
import { readStream } from '../support/reading.ts';
import { callsOf, undisturbed } from '../support/simulator.ts';
import { type JobView } from '../../../shared/joblog/job-log.ts';
import { inspectAftermath } from './aftermath.ts';
import { playClient, type Testimony } from './client.ts';
import { DEADLINE_MS, type Ground } from './ground.ts';
import { failureOf } from './failures.ts';
import { judge, type Verdict } from './judge.ts';
import { type Round, type SuitePlan } from './plan.ts';
import { type SuiteQuestion } from './questions.ts';
import { longestSilence } from './silence.ts';
import { POISON_PER_FAULT, strikes } from './strikes.ts';
import { type FaultReport, type RoundResult, toReport } from './tally.ts';

export interface Suite {
  ground: Ground;
  plan: SuitePlan;
  questions: readonly SuiteQuestion[];
  say: (line: string) => void;
}

/** What a run saw, for reports of several runs together. */
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

/** One fault after another, each under its own load and judged before the next; then the system as a whole. */
export async function playSuite(suite: Suite): Promise<SuiteResult> {
  const startedAt = performance.now();
  const expected = await Promise.all(
    suite.questions.map((question) => expectedAnswer(suite.ground, question)),
  );
  const rounds: RoundResult[] = [];
  for (const round of suite.plan.rounds) rounds.push(await playRound(suite, round, expected));
  const poison = rounds.filter(({ kind }) => kind === 'poison messages').length * POISON_PER_FAULT;
  return {
    rounds,
    leftovers: await inspectAftermath(suite.ground, poison),
    seconds: Math.round((performance.now() - startedAt) / 1_000),
  };
}

/** Where documents are sent, the prompt is ours and not the client's: the answer is taken from a quiet system. */
export async function expectedAnswer(ground: Ground, { body, direct }: SuiteQuestion): Promise<string> {
  if (direct) return undisturbed(body);
  const reading = readStream({ url: ground.ingresses[0], apiKey: ground.apiKeys[0] ?? '', body });
  await reading.over;
  if (!reading.done()) throw new Error(`a quiet system did not answer: ${reading.error() ?? 'cut'}`);
  return reading.text();
}

async function playRound(
  { ground, plan, questions, say }: Suite,
  round: Round,
  expected: readonly string[],
): Promise<RoundResult> {
  const clients = round.jobs.map((job) => {
    const question = questions[job.question];
    if (!question) throw new Error(`there is no question ${job.question}`);
    return playClient({ plan: job, question, ingresses: ground.ingresses, apiKeys: ground.apiKeys });
  });
  await delay(round.strikeAfterMs);
  const { since } = await strikes[round.kind](ground, generator(round.seed));
  const testimonies = await Promise.all(clients);
  await until(async () => (await ground.store.open()).length === 0, {
    timeoutMs: DEADLINE_MS + 10_000,
    everyMs: 50,
  });
  const judged = await Promise.all(
    testimonies.map((testimony) => judgeOne(ground, testimony, expected[testimony.plan.question] ?? '')),
  );
  const verdicts = judged.map(({ verdict }) => verdict);
  const failures = judged.flatMap(({ view }, at) => {
    const testimony = testimonies[at];
    return (testimony && failureOf(round.kind, testimony, view)) ?? [];
  });
  const silence = longestSilence(testimonies, since);
  const ended = verdicts.filter(({ status }) => status === 'completed').length;
  say(
    `${round.number + 1}/${plan.rounds.length} ${round.kind}: ${ended}/${verdicts.length} completed, longest silence ${silence ?? '-'} ms`,
  );
  for (const { code, byDesign } of failures) if (!byDesign) say(`  a job failed: ${code}`);
  for (const complaint of verdicts.flatMap(({ complaints }) => complaints)) say(`  ${complaint}`);
  return { kind: round.kind, verdicts, failures, recoveryMs: silence === undefined ? [] : [silence] };
}

interface Judged {
  verdict: Verdict;
  view: JobView | undefined;
}

async function judgeOne(ground: Ground, testimony: Testimony, expected: string): Promise<Judged> {
  const { jobId } = testimony;
  const [view, calls] =
    jobId === undefined ? [undefined, []] : await Promise.all([ground.store.view(jobId), callsOf(jobId)]);
  return { verdict: judge({ testimony, view, calls, expected }), view };
}
