import { describe, expect, test } from '@jest/globals';
import type { StreamFindings, Window } from './measure.ts';
import { STREAMS_HELD_TO, STREAMS_PLAN } from './plan.ts';
import { toStreamsReport, streamsText } from './report.ts';

const STREAMS = STREAMS_PLAN.responses * STREAMS_PLAN.readersOfEach;
const window = (p99: number): Window => ({
  gapMs: { p50: 250, p99 },
  events: 1_000,
  cpuShare: 0.25,
});
const findings = (over: Partial<StreamFindings> = {}): StreamFindings => ({
  opened: { opened: STREAMS, failed: 0 },
  pausedOpened: { opened: 100, failed: 0 },
  ended: { right: STREAMS, wrong: 0, dropped: 0 },
  rssMb: { before: 100, allOpen: 200, withPaused: 210, after: 220 },
  windows: { before: window(280), withPaused: window(330), afterwards: window(320) },
  ...over,
});
const report = (over?: Partial<StreamFindings>) =>
  toStreamsReport(findings(over), STREAMS_PLAN, STREAMS_HELD_TO, new Date(0));

describe('the report on open streams', () => {
  test('has the cost of a stream, and the effect of unread streams on the others', () => {
    expect(report()).toMatchObject({
      kibPerStream: 51.2,
      kibPerPausedStream: 102.4,
      gapRatio: { p50: 1, p99: 1.1 },
      broken: [],
    });
    expect(streamsText(report())).toContain(`${STREAMS} streams opened, 0 dropped`);
  });

  test.each<[string, Partial<StreamFindings>, string]>([
    ['a stream that did not open', { opened: { opened: STREAMS - 1, failed: 1 } }, 'did not open'],
    ['an unread one', { pausedOpened: { opened: 99, failed: 1 } }, 'unread streams did not open'],
    ['a dropped one', { ended: { right: STREAMS - 1, wrong: 0, dropped: 1 } }, 'dropped'],
    ['a wrong text', { ended: { right: STREAMS - 1, wrong: 1, dropped: 0 } }, 'wrong text'],
    ['memory', { rssMb: { before: 100, allOpen: 900, withPaused: 900, after: 900 } }, 'KiB per stream'],
    [
      'slow neighbours',
      { windows: { before: window(280), withPaused: window(900), afterwards: window(320) } },
      'p99 gap',
    ],
  ])('names %s', (_what, over, complaint) => {
    expect(report(over).broken).toEqual([expect.stringContaining(complaint)]);
  });
});
