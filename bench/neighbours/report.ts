import { aligned } from '../measure/aligned.ts';
import type { NeighbourFindings } from './measure.ts';
import type { NEIGHBOURS_HELD_TO } from './plan.ts';

/** The promises that were broken during one trouble, as text. `expected`: the status that all its answers must have. */
export function brokenIn(
  findings: NeighbourFindings,
  expected: string | undefined,
  held: typeof NEIGHBOURS_HELD_TO,
): string[] {
  const { trouble, gapMs, attempts, failures, answers, loops } = findings;
  const late = Object.entries(loops).filter(([, { p999Ms }]) => p999Ms >= held.p999Ms);
  const wrong = Object.entries(answers).filter(([answer]) =>
    expected === undefined ? answer.startsWith('500') : !answer.startsWith(expected),
  );
  return [
    ...(gapMs > held.gapMs ? [`a stream was silent for ${gapMs} ms`] : []),
    ...(attempts > held.attempts ? [`a job took ${attempts} attempts`] : []),
    ...Object.entries(failures).map(([why, count]) => `${count} streams failed: ${why}`),
    ...late.map(
      ([service, { p999Ms }]) => `the event loop of ${service} was delayed by ${p999Ms} ms (p99.9)`,
    ),
    ...wrong.map(([answer, count]) => `${count} answers were ${answer}`),
  ].map((words) => `${trouble}: ${words}`);
}

/** A line for each trouble, then the answers, and the work that blocked an event loop. */
export function neighboursTable(
  all: readonly { findings: NeighbourFindings; broken: readonly string[] }[],
): string {
  const head = ['', 's', 'gap ms', 'first ms', 'jobs', 'attempts', 'failed', 'loop p99.9', 'max', ''];
  const rows = all.map(({ findings, broken }) => [
    findings.trouble,
    ...[findings.seconds, findings.gapMs, findings.firstTokenMs, findings.jobs, findings.attempts].map(
      String,
    ),
    String(Object.values(findings.failures).reduce((sum, count) => sum + count, 0)),
    ...worstOf(findings),
    broken.length === 0 ? 'held' : 'broken',
  ]);
  const answers = all.map(({ findings }) => [findings.trouble, JSON.stringify(findings.answers)]);
  const blocked = all.flatMap(({ findings }) =>
    findings.blocked.map((one) => [
      findings.trouble,
      one.service,
      one.work,
      `${one.times} times`,
      `${one.ms} ms`,
      `${one.cpuMs} ms CPU`,
    ]),
  );
  return [
    ...aligned([head, ...rows]),
    '',
    ...aligned([['answers', ''], ...answers]),
    '',
    ...aligned([['blocked event loops', '', '', '', '', ''], ...blocked]),
  ].join('\n');
}

/** The service with the longest delay, and the delay. */
function worstOf({ loops }: NeighbourFindings): [string, string] {
  const worst = (of: 'p999Ms' | 'maxMs') => {
    const [name, delay] = Object.entries(loops).toSorted(([, a], [, b]) => b[of] - a[of])[0] ?? [];
    return delay ? `${name} ${delay[of]}` : '';
  };
  return [worst('p999Ms'), worst('maxMs')];
}
