import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { startGround, type Ground } from './suite/ground.ts';
import { planSuite } from './suite/plan.ts';
import { suiteQuestions } from './suite/questions.ts';
import { runSuite } from './suite/run-suite.ts';
import { isClean, toTable } from './suite/tally.ts';
import { describeTarget } from './suite/targets.ts';
import { say } from './support/fleet.ts';

/** A small `make faults`, with its own system because this test kills its Redis. */
jest.setTimeout(240_000);

const KINDS = [
  'kill llm-worker',
  'kill router',
  'kill ingress',
  'kill Redis',
  'cut Redis',
  'redeliver',
  'poison messages',
] as const;

let ground: Ground;

beforeAll(async () => {
  ground = await startGround(() => undefined);
});

afterAll(() => ground.stop());

test('with faults under load, no job is lost, none ends twice, and no answer is torn', async () => {
  const questions = suiteQuestions();
  const plan = planSuite({
    seed: 7,
    jobs: 210,
    faultsOfEachKind: 1,
    kinds: KINDS,
    questions: questions.length,
  });
  const report = await runSuite({ ground, plan, questions, say });
  say(`\n${toTable(report)}`);
  for (const target of report.heldTo) say(describeTarget(target));
  expect(report).toMatchObject({
    jobs: 210,
    faults: KINDS.length,
    lost: 0,
    doubled: 0,
    torn: 0,
    leftovers: [],
    tooManyFailures: [],
  });
  expect(isClean(report)).toBe(true);
});
