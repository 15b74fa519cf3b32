import { type Summary } from '../../services/metrics/summary.ts';
import { type ServiceName, serviceNames } from '../../stack/services.ts';
import { until } from '../../stack/until.ts';
import { testEnv } from '../harness/env.ts';
import { type RunningServices, startServices } from '../harness/services.ts';
import { readStream } from '../faults/support/reading.ts';
import { callsOf, undisturbed } from '../faults/support/simulator.ts';
import {
  type Answer,
  type Asking,
  startSteadyClients,
  type SteadyClients,
} from '../faults/support/steady-clients.ts';
import { suiteQuestions } from '../faults/suite/questions.ts';

/** The result of a rolling upgrade and the way back. */
export interface RollReport {
  answers: number;
  /** Wrong answers, model calls and counts, in words. */
  complaints: string[];
}

interface RollOptions {
  /** The checkout of the previous release. */
  before: string;
  say: (line: string) => void;
}

/** Consumers are upgraded before the producers whose messages they read. */
const UPGRADE_ORDER: readonly ServiceName[] = serviceNames;
const CLIENTS = 6;

/**
 * Two instances of each service run the previous release. Under load, one instance of each is replaced by this version, so that both
 * versions run side by side, then the other one. Then all are replaced by the previous release again, in the reverse order.
 */
export async function rollThereAndBack({ before, say }: RollOptions): Promise<RollReport> {
  const services = await startServices({ root: before });
  try {
    await Promise.all(serviceNames.map((name) => services.start(name, `${name}-2`, {}, before)));
    const askings = await askingsOf(services.url);
    const load = startSteadyClients({
      urls: [services.url, services.urlOf('ingress-2')],
      apiKey: testEnv().TURNOUT_API_KEY,
      askings,
      clients: CLIENTS,
    });
    const there = UPGRADE_ORDER;
    const back = [...UPGRADE_ORDER].reverse();
    await replace(services, load, { names: there, suffix: '', root: undefined, say });
    await replace(services, load, { names: there, suffix: '-2', root: undefined, say });
    await replace(services, load, { names: back, suffix: '-2', root: before, say });
    await replace(services, load, { names: back, suffix: '', root: before, say });
    const answers = await load.stop();
    const asked = askings.filter(({ asked }) => asked).length;
    return { answers: answers.length, complaints: await complaintsOf(services, answers, asked) };
  } finally {
    await services.stop();
  }
}

interface Replacement {
  names: readonly ServiceName[];
  suffix: string;
  /** Undefined: this checkout. */
  root: string | undefined;
  say: (line: string) => void;
}

async function replace(
  services: RunningServices,
  load: SteadyClients,
  replacement: Replacement,
): Promise<void> {
  const { names, suffix, root, say } = replacement;
  for (const name of names) {
    await moreAnswers(load);
    const instance = `${name}${suffix}`;
    await services.kill(instance, 'SIGTERM');
    await services.start(name, instance, {}, root);
    say(
      `${instance} runs ${root === undefined ? 'this version' : 'the previous release'}; ${load.answered()} answers`,
    );
  }
  await moreAnswers(load);
}

async function moreAnswers(load: SteadyClients): Promise<void> {
  const enough = load.answered() + 2 * CLIENTS;
  const came = await until(() => load.answered() >= enough, { timeoutMs: 60_000 });
  if (!came)
    throw new Error(`The clients received ${load.answered()} answers in 60 s; expected at least ${enough}`);
}

async function complaintsOf(
  services: RunningServices,
  answers: readonly Answer[],
  asked: number,
): Promise<string[]> {
  const wrong = answers.flatMap(({ complaint }) => complaint ?? []);
  const calls = await Promise.all(
    answers.map(async ({ jobId }) => ({ jobId, count: (await callsOf(jobId ?? '')).length })),
  );
  const repeated = calls
    .filter(({ count }) => count !== 1)
    .map(({ jobId, count }) => `${jobId ?? 'a job without an id'}: ${count} calls of the model`);
  const expected = answers.length - wrong.length + asked;
  let counted = -1;
  const exact = await until(async () => (counted = await completed(services)) === expected, {
    timeoutMs: 30_000,
  });
  return [
    ...wrong,
    ...repeated,
    ...(exact ? [] : [`the metrics count ${counted} completed jobs, and ${expected} were`]),
  ];
}

async function completed(services: RunningServices): Promise<number> {
  const response = await fetch(`${services.urlOf('metrics')}/summary`);
  return ((await response.json()) as Summary).completed;
}

type KnownAsking = Asking & { asked: boolean };

/** Some questions of each kind. For questions with documents, the expected answer is the one of an undisturbed system, which costs one call. */
async function askingsOf(url: string): Promise<KnownAsking[]> {
  const questions = suiteQuestions().filter(({ body }) => !JSON.stringify(body).includes('failTimes'));
  const some = questions.filter((_, index) => index % 5 === 0);
  return Promise.all(
    some.map(async ({ body, direct }) =>
      direct
        ? { body, expected: await undisturbed(body), asked: false }
        : { body, expected: await quietAnswer(url, body), asked: true },
    ),
  );
}

async function quietAnswer(url: string, body: Record<string, unknown>): Promise<string> {
  const reading = readStream({ url, apiKey: testEnv().TURNOUT_API_KEY, body });
  await reading.over;
  if (!reading.done()) throw new Error(`The undisturbed system did not answer: ${String(reading.error())}`);
  return reading.text();
}
