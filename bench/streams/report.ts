import type { StreamFindings, Window } from './measure.ts';
import type { STREAMS_HELD_TO, STREAMS_PLAN } from './plan.ts';

/** `.turnout/reports/streams.json`. */
export interface StreamsReport extends StreamFindings {
  at: string;
  plan: typeof STREAMS_PLAN;
  /** Of the ingress, for each stream that is read, and for each that is not. */
  kibPerStream: number;
  kibPerPausedStream: number;
  /** The gaps with paused readers over the mean of those before and after them. */
  gapRatio: { p50: number; p99: number };
  /** The promises that did not hold, in words. */
  broken: string[];
}

const KIB_PER_MIB = 1_024;

export function toStreamsReport(
  findings: StreamFindings,
  plan: typeof STREAMS_PLAN,
  held: typeof STREAMS_HELD_TO,
  at: Date,
): StreamsReport {
  const { rssMb, windows, opened, pausedOpened } = findings;
  const figures = {
    kibPerStream: kib(rssMb.allOpen - rssMb.before, opened.opened),
    kibPerPausedStream: kib(rssMb.withPaused - rssMb.allOpen, pausedOpened.opened),
    gapRatio: { p50: gapRatio(windows, 'p50'), p99: gapRatio(windows, 'p99') },
  };
  const broken = [...lostStreams(findings, plan), ...tooMuch(figures, held)];
  return { at: at.toISOString(), plan, ...figures, ...findings, broken };
}

function gapRatio({ before, withPaused, afterwards }: StreamFindings['windows'], of: 'p50' | 'p99'): number {
  return rounded((2 * withPaused.gapMs[of]) / (before.gapMs[of] + afterwards.gapMs[of]));
}

function kib(mib: number, streams: number): number {
  return rounded((mib * KIB_PER_MIB) / streams);
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}

function lostStreams({ opened, pausedOpened, ended }: StreamFindings, plan: typeof STREAMS_PLAN): string[] {
  const wanted = plan.responses * plan.readersOfEach;
  return [
    ...unless(opened.opened === wanted, `${opened.failed} of ${wanted} streams did not open`),
    ...unless(pausedOpened.failed === 0, `${pausedOpened.failed} unread streams did not open`),
    ...unless(ended.dropped === 0, `${ended.dropped} streams were dropped`),
    ...unless(ended.wrong === 0, `${ended.wrong} streams came to another text`),
  ];
}

function tooMuch(
  {
    kibPerStream,
    kibPerPausedStream,
    gapRatio,
  }: Pick<StreamsReport, 'kibPerStream' | 'kibPerPausedStream' | 'gapRatio'>,
  held: typeof STREAMS_HELD_TO,
): string[] {
  return [
    ...over('KiB for each stream', kibPerStream, held.kibPerStream),
    ...over('KiB for each stream that is not read', kibPerPausedStream, held.kibPerPausedStream),
    ...over('times the median gap with unread streams', gapRatio.p50, held.gapRatio),
    ...over('times the p99 gap with unread streams', gapRatio.p99, held.gapRatio),
  ];
}

/** Where there is no /proc there are no figures of memory: NaN is over nothing. */
function over(what: string, value: number, limit: number): string[] {
  return value > limit ? [`${value} ${what}, held to ${limit}`] : [];
}

function unless(holds: boolean, complaint: string): string[] {
  return holds ? [] : [complaint];
}

/** The report for people. */
export function streamsText(report: StreamsReport): string {
  const { opened, ended, rssMb, windows, gapRatio } = report;
  const gaps = Object.entries(windows).map(
    ([name, { gapMs, events, cpuShare }]: [string, Window]) =>
      `${WINDOWS[name] ?? name}: gaps p50 ${gapMs.p50.toFixed(1)} ms, p99 ${gapMs.p99.toFixed(1)} ms over ${events} events; ingress ${(cpuShare * 100).toFixed(0)} % of a processor`,
  );
  return [
    `${opened.opened} streams opened, ${ended.dropped} dropped, ${ended.right} whole and right, ${ended.wrong} wrong`,
    `ingress: ${rssMb.before} MiB before, ${rssMb.allOpen} with all open, ${rssMb.withPaused} with unread ones, ${rssMb.after} after`,
    `${report.kibPerStream} KiB for each stream, ${report.kibPerPausedStream} for each that is not read`,
    ...gaps,
    `gaps with unread streams over those without: p50 ${gapRatio.p50}, p99 ${gapRatio.p99}`,
  ].join('\n');
}

const WINDOWS: Readonly<Record<string, string>> = {
  before: 'all streams read',
  withPaused: 'with unread streams',
  afterwards: 'all streams read again',
};
