import { type Testimony } from '../suite/client.ts';
import { type Disturbances } from './disturbances.ts';
import { describeErrorLines, type ErrorLines, unexpectedErrors } from './error-lines.ts';
import { KEY_KINDS, type KeyCounts, leftovers } from './keys.ts';
import { type Growth } from './slope.ts';

/** The content of `.turnout/reports/soak.json`. */
export interface SoakReport extends Disturbances, Availability {
  minutes: number;
  keys: { before: KeyCounts; after: KeyCounts };
  /** Number of open files and sockets. */
  handles: { before: Record<string, number>; after: Record<string, number> };
  memory: Record<string, Growth>;
  /** Number of dead letters by reason. A healthy system has none. */
  deadLetters: Record<string, number>;
  errorLines: ErrorLines;
  at: string;
}

interface Availability {
  jobs: number;
  /** The share of jobs that succeeded, among those whose client stayed. The client retries as the SDKs do. */
  availability: number;
  /** The share that succeeded at the first try. A refused connection, because an ingress restarts, counts as a try. */
  firstTry: number;
  /** Number of failed jobs by error code; `wrong answer` if the text was not the model's. */
  failures: Record<string, number>;
  /** Number of clients, including those that hung up, that read text that is not the model's answer or a prefix of it. */
  wrongAnswers: number;
}

const TARGET_AVAILABILITY = 0.999;
/** The number of sockets varies with the clients connected at the moment. A leak is more than this. */
const HANDLE_TOLERANCE = 8;

/** `expected`: the answers of a model without faults, by question number. */
export function summarise(testimonies: readonly Testimony[], expected: readonly string[]): Availability {
  const stayed = testimonies.filter(({ plan }) => plan.manner === 'patient');
  const wrong = new Set(testimonies.filter((testimony) => isWrong(testimony, expected)));
  const failed = stayed.filter((testimony) => wrong.has(testimony) || testimony.sights.at(-1)?.done !== true);
  const failures = Map.groupBy(failed, (testimony) =>
    wrong.has(testimony) ? 'wrong answer' : (testimony.sights.at(-1)?.error ?? 'connection'),
  );
  const firstTry = stayed.filter((testimony) => testimony.sights[0]?.done === true && !wrong.has(testimony));
  const share = (count: number) => count / Math.max(1, stayed.length);
  return {
    jobs: testimonies.length,
    availability: 1 - share(failed.length),
    firstTry: share(firstTry.length),
    failures: Object.fromEntries([...failures].map(([code, some]) => [code, some.length])),
    wrongAnswers: wrong.size,
  };
}

function isWrong({ plan, sights }: Testimony, expected: readonly string[]): boolean {
  const answer = expected[plan.question] ?? '';
  return sights.some(({ text, done }) => (done ? text !== answer : !answer.startsWith(text)));
}

/** What is wrong, in words. Empty for a healthy system. */
export function complaints(report: SoakReport): string[] {
  const { availability, wrongAnswers, keys, handles, memory, deadLetters, errorLines } = report;
  const unavailable =
    availability < TARGET_AVAILABILITY
      ? [`availability is ${percent(availability)}, not ${percent(TARGET_AVAILABILITY)}`]
      : [];
  const grown = Object.entries(memory).flatMap(([name, { flat, mbPerMinute }]) =>
    flat !== false ? [] : [`the memory of ${name} grows by ${mbPerMinute.toFixed(2)} MiB a minute`],
  );
  return [
    ...unavailable,
    ...(wrongAnswers > 0 ? [`${wrongAnswers} clients read a wrong answer`] : []),
    ...Object.entries(deadLetters).map(([reason, count]) => `${count} dead letters: ${reason}`),
    ...unexpectedErrors(errorLines),
    ...leftovers(keys.after),
    ...leakedHandles(handles),
    ...grown,
  ];
}

export function leakedHandles({ before, after }: SoakReport['handles']): string[] {
  return Object.entries(after).flatMap(([name, count]) => {
    const had = before[name] ?? 0;
    return count > had + HANDLE_TOLERANCE ? [`${name} had ${had} handles and has ${count}`] : [];
  });
}

export function describeSoak(report: SoakReport): string[] {
  const { jobs, restarts, kills, availability, firstTry, failures } = report;
  return [
    `${jobs} jobs, ${restarts} restarts, ${kills} kills`,
    `availability ${percent(availability)}, at the first try ${percent(firstTry)} (of those who did not hang up)`,
    ...Object.entries(failures).map(([code, count]) => `  ${count} failed: ${code}`),
    '',
    ...describeMemory(report),
    '',
    ...describeKeys(report),
    '',
    `${Object.values(report.deadLetters).reduce((sum, count) => sum + count, 0)} dead letters`,
    ...describeErrorLines(report.errorLines),
  ];
}

function describeMemory({ memory, handles }: SoakReport): string[] {
  return Object.entries(memory).map(([name, { fromMb, toMb, mbPerMinute, flat, toleratedPerMinute }]) => {
    const judged =
      flat === undefined
        ? 'too short to judge'
        : `tolerated ${toleratedPerMinute.toFixed(2)} in a run of this length`;
    const slope = `${mbPerMinute < 0 ? '' : '+'}${mbPerMinute.toFixed(2)}`;
    const after = handles.after[name];
    const open = after === undefined ? '' : `, handles ${handles.before[name] ?? '-'} -> ${after}`;
    return `${name.padEnd(15)} ${fromMb.toFixed(0).padStart(4)} -> ${toMb.toFixed(0).padStart(4)} MiB, slope ${slope.padStart(6)} MiB/min (${judged})${open}`;
  });
}

function describeKeys({ keys }: SoakReport): string[] {
  return KEY_KINDS.map(({ kind, goes }) => {
    const [before, after] = [keys.before[kind] ?? 0, keys.after[kind] ?? 0];
    return `${kind.padEnd(15)} ${String(before).padStart(4)} -> ${String(after).padStart(4)} keys; goes ${goes}`;
  });
}

function percent(share: number): string {
  return `${(share * 100).toFixed(3)}%`;
}
