import type { StreamFindings, Window } from './measure.ts';
import type { STREAMS_HELD_TO, STREAMS_PLAN } from './plan.ts';

/** `.turnout/reports/streams.json`. */
export interface StreamsReport extends StreamFindings {
  at: string;
  plan: typeof STREAMS_PLAN;
  /** Memory of the ingress per stream that is read, and per stream that is not. */
  kibPerStream: number;
  kibPerPausedStream: number;
  /** The gaps with paused readers divided by the mean of the gaps before and after. */
  gapRatio: { p50: number; p99: number };
  /** The broken promises, as text. */
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
    ...unless(ended.wrong === 0, `${ended.wrong} streams had a wrong text`),
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
    ...over('KiB per stream', kibPerStream, held.kibPerStream),
    ...over('KiB per unread stream', kibPerPausedStream, held.kibPerPausedStream),
    ...over('times the median gap with unread streams', gapRatio.p50, held.gapRatio),
    ...over('times the p99 gap with unread streams', gapRatio.p99, held.gapRatio),
  ];
}

/** Without /proc the memory figures are NaN, which is never above the limit. */
function over(what: string, value: number, limit: number): string[] {
  return value > limit ? [`${value} ${what}, limit ${limit}`] : [];
}

function unless(holds: boolean, complaint: string): string[] {
  return holds ? [] : [complaint];
}

/** The report as text. */
export function streamsText(report: StreamsReport): string {
  const { opened, ended, rssMb, windows, gapRatio } = report;
  const gaps = Object.entries(windows).map(
    ([name, { gapMs, events, cpuShare }]: [string, Window]) =>
      `${WINDOWS[name] ?? name}: gaps p50 ${gapMs.p50.toFixed(1)} ms, p99 ${gapMs.p99.toFixed(1)} ms over ${events} events; ingress ${(cpuShare * 100).toFixed(0)} % of a CPU`,
  );
  return [
    `${opened.opened} streams opened, ${ended.dropped} dropped, ${ended.right} complete and correct, ${ended.wrong} wrong`,
    `ingress: ${rssMb.before} MiB before, ${rssMb.allOpen} with all open, ${rssMb.withPaused} with unread ones, ${rssMb.after} after`,
    `${report.kibPerStream} KiB per stream, ${report.kibPerPausedStream} KiB per unread stream`,
    ...gaps,
    `gaps with unread streams divided by gaps without: p50 ${gapRatio.p50}, p99 ${gapRatio.p99}`,
  ].join('\n');
}

const WINDOWS: Readonly<Record<string, string>> = {
  before: 'all streams read',
  withPaused: 'with unread streams',
  afterwards: 'all streams read again',
};
