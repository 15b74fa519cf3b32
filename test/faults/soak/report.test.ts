import { describe, expect, test } from '@jest/globals';
import { type Sight, type Testimony } from '../suite/client.ts';
import { type JobPlan } from '../suite/plan.ts';
import { complaints, describeSoak, type SoakReport, summarise } from './report.ts';

const plan: JobPlan = {
  question: 0,
  stream: true,
  manner: 'patient',
  startAfterMs: 0,
  hangUpAfterMs: 0,
  user: 0,
  ingress: 0,
};
const ANSWER = 'At platform four.';
const sight = (done: boolean, error?: string, text = done ? ANSWER : ''): Sight => ({
  askedAt: 0,
  arrivals: [],
  text,
  accepted: done,
  done,
  error,
});
const testimony = (sights: Sight[], manner: JobPlan['manner'] = 'patient'): Testimony => ({
  plan: { ...plan, manner },
  question: { body: {}, direct: true },
  jobId: undefined,
  sights,
});

describe('availability', () => {
  test('is the share of clients that stayed and got their answer, however often they asked', () => {
    const all = [
      testimony([sight(true)]),
      testimony([sight(false), sight(true)]),
      testimony([sight(false, 'attempt_lost')]),
      testimony([sight(false), sight(false)]),
      testimony([sight(false)], 'vanishing'),
    ];
    expect(summarise(all, [ANSWER])).toEqual({
      jobs: 5,
      availability: 0.5,
      firstTry: 0.25,
      failures: { attempt_lost: 1, connection: 1 },
      wrongAnswers: 0,
    });
  });

  test.each([
    ['a different text', [sight(true, undefined, 'At platform five.')]],
    ['half a text that is marked complete', [sight(true, undefined, ANSWER.slice(0, 5))]],
    ['a correct answer after an incorrect one', [sight(false, undefined, 'At the'), sight(true)]],
  ])('excludes a wrong answer: %s', (_what, sights) => {
    expect(summarise([testimony(sights), testimony([sight(true)])], [ANSWER])).toMatchObject({
      availability: 0.5,
      firstTry: 0.5,
      failures: { 'wrong answer': 1 },
      wrongAnswers: 1,
    });
  });

  test('does not count half an answer as a wrong one', () => {
    const half = testimony([sight(false, undefined, ANSWER.slice(0, 5))], 'vanishing');
    expect(summarise([half], [ANSWER]).wrongAnswers).toBe(0);
  });
});

describe('a soak', () => {
  const flat = { fromMb: 100, toMb: 101, mbPerMinute: 0.1, flat: true, toleratedPerMinute: 3.6 };
  const healthy: SoakReport = {
    minutes: 10,
    jobs: 3_600,
    restarts: 26,
    kills: 13,
    availability: 0.9995,
    firstTry: 0.99,
    failures: { attempt_lost: 1 },
    wrongAnswers: 0,
    deadLetters: {},
    errorLines: { 'error ingress-2: Request failed': 3 },
    keys: { before: { outbox: 60 }, after: { outbox: 64 } },
    handles: { before: { ingress: 30 }, after: { ingress: 34 } },
    memory: { ingress: flat, Redis: flat },
    at: '2026-01-01T00:00:00.000Z',
  };

  test('is healthy if nothing grows and 99.9% of the jobs succeed', () => {
    expect(complaints(healthy)).toEqual([]);
  });

  test.each<[string, Partial<SoakReport>]>([
    ['availability is 99.890%, not 99.900%', { availability: 0.9989 }],
    ['2 clients read a wrong answer', { wrongAnswers: 2 }],
    ['2 dead letters: poison_job', { deadLetters: { poison_job: 2 } }],
    [
      '1 lines in the logs: fatal router: Uncaught error',
      { errorLines: { 'fatal router: Uncaught error': 1 } },
    ],
    ['3 keys of kind "job log", not 0', { keys: { before: {}, after: { 'job log': 3 } } }],
    ['ingress had 30 handles and has 39', { handles: { before: { ingress: 30 }, after: { ingress: 39 } } }],
    [
      'the memory of Redis grows by 2.00 MiB a minute',
      { memory: { Redis: { ...flat, flat: false, mbPerMinute: 2 } } },
    ],
  ])('is unhealthy: %s', (complaint, change) => {
    expect(complaints({ ...healthy, ...change })).toEqual([complaint]);
  });

  test('prints the memory slope of each process', () => {
    expect(describeSoak(healthy).join('\n')).toContain(
      'ingress          100 ->  101 MiB, slope  +0.10 MiB/min (tolerated 3.60 in a run of this length), handles 30 -> 34',
    );
  });
});
