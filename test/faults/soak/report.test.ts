import { describe, expect, test } from '@jest/globals';
import { type Sight, type Testimony } from '../suite/client.ts';
import { type JobPlan } from '../suite/plan.ts';
import { complaints, describeSoak, type SoakReport, summarise } from './report.ts';
import { OF_A_PROCESS } from './slope.ts';

const plan: JobPlan = {
  question: 0,
  stream: true,
  manner: 'patient',
  startAfterMs: 0,
  hangUpAfterMs: 0,
  user: 0,
  ingress: 0,
};
const sight = (done: boolean, error?: string): Sight => ({ askedAt: 0, arrivals: [], text: '', done, error });
const testimony = (sights: Sight[], manner: JobPlan['manner'] = 'patient'): Testimony => ({
  plan: { ...plan, manner },
  question: { body: {}, direct: true },
  jobId: undefined,
  sights,
});

describe('availability', () => {
  test('is the share of those who stayed and got their answer, however often they asked', () => {
    const summary = summarise([
      testimony([sight(true)]),
      testimony([sight(false), sight(true)]),
      testimony([sight(false, 'attempt_lost')]),
      testimony([sight(false), sight(false)]),
      testimony([sight(false)], 'vanishing'),
    ]);
    expect(summary).toEqual({
      jobs: 5,
      availability: 0.5,
      firstTry: 0.25,
      failures: { attempt_lost: 1, connection: 1 },
    });
  });
});

describe('a soak', () => {
  const flat = { fromMb: 100, toMb: 101, mbPerMinute: 0.1, flat: true, tolerated: OF_A_PROCESS };
  const healthy: SoakReport = {
    minutes: 10,
    jobs: 3_600,
    restarts: 26,
    kills: 13,
    availability: 0.9995,
    firstTry: 0.99,
    failures: { attempt_lost: 1 },
    keys: { before: { outbox: 60 }, after: { outbox: 64 } },
    handles: { before: { ingress: 30 }, after: { ingress: 34 } },
    memory: { ingress: flat, Redis: flat },
    at: '2026-01-01T00:00:00.000Z',
  };

  test('is healthy when nothing grows and 99.9% end well', () => {
    expect(complaints(healthy)).toEqual([]);
  });

  test.each<[string, Partial<SoakReport>]>([
    ['availability is 99.890%, not 99.900%', { availability: 0.9989 }],
    ['3 keys of kind "job log", not 0', { keys: { before: {}, after: { 'job log': 3 } } }],
    ['ingress had 30 handles and has 39', { handles: { before: { ingress: 30 }, after: { ingress: 39 } } }],
    [
      'the memory of Redis grows by 2.00 MiB a minute',
      { memory: { Redis: { ...flat, flat: false, mbPerMinute: 2 } } },
    ],
  ])('complains: %s', (complaint, change) => {
    expect(complaints({ ...healthy, ...change })).toEqual([complaint]);
  });

  test('prints the slope of each process', () => {
    expect(describeSoak(healthy).join('\n')).toContain(
      'ingress          100 ->  101 MiB, slope  +0.10 MiB/min (tolerated 1, or 24 MiB in all), handles 30 -> 34',
    );
  });
});
