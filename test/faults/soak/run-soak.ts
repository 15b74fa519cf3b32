import { setTimeout as delay } from 'node:timers/promises';
import { until } from '../../../stack/until.ts';
import { type Ground } from '../suite/ground.ts';
import { type SuiteQuestion } from '../suite/questions.ts';
import { expectedAnswer } from '../suite/run-suite.ts';
import { deadLetters } from '../support/dead-letters.ts';
import { disturb } from './disturbances.ts';
import { countErrorLines } from './error-lines.ts';
import { countKeys, leftovers } from './keys.ts';
import { leakedHandles, type SoakReport, summarise } from './report.ts';
import { createSamples, handlesOf, REDIS, type Samples } from './samples.ts';
import { judgeGrowth, OF_A_PROCESS, OF_REDIS } from './slope.ts';
import { startSteadyLoad } from './steady-load.ts';

export interface SoakOptions {
  ground: Ground;
  questions: readonly SuiteQuestion[];
  minutes: number;
  /** Milliseconds that the data of ended jobs is retained. */
  retentionMs: number;
  say: (line: string) => void;
}

/** Half of what the embedded system sustains on two cores. */
const JOBS_PER_SECOND = 6;
const DISTURB_EVERY_MS = 15_000;
/** Each sample costs every service a garbage collection of about 100 ms. */
const SAMPLE_EVERY_MS = 15_000;
/** Time for compiling code and filling pools before the first comparison. */
const WARM_UP_MS = 30_000;
/** Repeats the lines of the other log files. */
const MERGED_LOG = 'turnout.log';
/** The ingress keeps a client's idle connection for 72 s. */
const KEEP_ALIVE_MS = 80_000;

export async function runSoak(options: SoakOptions): Promise<SoakReport> {
  const { ground, questions, minutes, say } = options;
  const expected = await Promise.all(questions.map((question) => expectedAnswer(ground, question)));
  await warmUp(options);
  const before = { keys: await countKeys(ground), handles: handlesOf(ground) };
  say(`${minutes} minutes at ${JOBS_PER_SECOND} jobs a second`);

  const [samples, ending] = [createSamples(ground), new AbortController()];
  const load = startSteadyLoad({ ground, questions, perSecond: JOBS_PER_SECOND, seed: 1 });
  const disturbing = disturb(ground, DISTURB_EVERY_MS, ending.signal);
  await sampleFor(samples, minutes * 60_000, say);
  ending.abort();
  const disturbances = await disturbing;
  const testimonies = await load.stop();
  await settle(options);
  const closed = () => leakedHandles({ before: before.handles, after: handlesOf(ground) }).length === 0;
  await until(closed, { timeoutMs: KEEP_ALIVE_MS, everyMs: 1_000 });
  return {
    minutes,
    ...summarise(testimonies, expected),
    ...disturbances,
    keys: { before: before.keys, after: await countKeys(ground) },
    handles: { before: before.handles, after: handlesOf(ground) },
    memory: Object.fromEntries(
      Object.entries(samples.memory).map(([name, readings]) => [
        name,
        judgeGrowth(readings, name === REDIS ? OF_REDIS : OF_A_PROCESS),
      ]),
    ),
    deadLetters: await countDeadLetters(ground),
    errorLines: countErrorLines(ground.services.logs, MERGED_LOG),
    at: new Date().toISOString(),
  };
}

async function countDeadLetters({ services }: Ground): Promise<Record<string, number>> {
  const byReason = Map.groupBy(await deadLetters(services.prefix), ({ reason }) => reason);
  return Object.fromEntries([...byReason].map(([reason, letters]) => [reason, letters.length]));
}

async function warmUp(options: SoakOptions): Promise<void> {
  const { ground, questions, say } = options;
  say('warming up');
  const load = startSteadyLoad({ ground, questions, perSecond: JOBS_PER_SECOND, seed: 0 });
  await delay(WARM_UP_MS);
  await load.stop();
  await settle(options);
}

/** Waits until every job has ended and its data is gone. The report lists what is left. */
async function settle({ ground, retentionMs }: SoakOptions): Promise<void> {
  const ended = async () => (await ground.store.open()).length === 0;
  await until(ended, { timeoutMs: 90_000, everyMs: 500 });
  const gone = async () => leftovers(await countKeys(ground)).length === 0;
  await until(gone, { timeoutMs: 2 * retentionMs + 20_000, everyMs: 1_000 });
}

async function sampleFor(samples: Samples, milliseconds: number, say: (line: string) => void): Promise<void> {
  const endAt = Date.now() + milliseconds;
  for (let taken = 1; Date.now() < endAt; taken += 1) {
    await samples.take();
    if (taken % 4 === 0) say(`${Math.round((endAt - Date.now()) / 1_000)} s to go`);
    await delay(SAMPLE_EVERY_MS);
  }
}
