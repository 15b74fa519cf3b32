import { isTerminal, type JobEvent, type UsageEvent } from '../../../shared/contracts/job-event.ts';
import { type JobView } from '../../../shared/jobs/joblog/job-log.ts';
import { type Call } from '../../upstream/ledger.ts';
import { type Sight, type Testimony } from './client.ts';

/** What three witnesses who do not know each other say of one job: its client, the job log, the provider. */
export interface Evidence {
  testimony: Testimony;
  /** Undefined: Redis has no such job. */
  view: JobView | undefined;
  calls: readonly Call[];
  /** The answer of an undisturbed model. */
  expected: string;
  /** Undefined, but where the job Redis came back without its last moment. */
  failover?: Failover;
}

/**
 * What a job Redis that came back without its last moment may have lost of a job: attempts and usages, so that calls need no
 * explanation; text that a client has read, which the next attempt makes again; and the record. From its message the router makes that
 * again where an idempotency key leads to the job. Else the message is a dead letter, and the job is lost only if it is none.
 */
export interface Failover {
  isDeadLetter: boolean;
}

export interface Verdict {
  /** `refused`: the client was told so. `unseen`: it left before it learned of its job. */
  status: 'completed' | 'failed' | 'cancelled' | 'refused' | 'unseen';
  /** Accepted, and without an end. */
  lost: boolean;
  /** More than one end, or text that is there twice. */
  doubled: boolean;
  /** A client saw what the record does not say, or the record is not the answer. */
  torn: boolean;
  /** Calls that were made because an attempt was lost. */
  duplicateCalls: number;
  /** More calls than the attempts that another one followed can explain. */
  unexplained: boolean;
  /** The job has ended, and of a call that the provider began there is no usage, neither reported nor estimated. */
  unpaid: boolean;
  /** Tokens that were reported and that the provider does not know of. */
  usageDifference: number;
  /** Why, in words and with the job's id, where something is wrong. */
  complaints: string[];
}

export function judge(evidence: Evidence): Verdict {
  const { testimony, view } = evidence;
  const events = view?.entries.map(({ event }) => event) ?? [];
  const stored = textOf(events);
  const terminals = events.filter(isTerminal);
  const duplicates = duplicateCalls(evidence.calls, events);
  const relays = evidence.failover ? duplicates : relayedAttempts(events);
  const isSettled = terminals.length > 0 && !evidence.failover;
  const unpaid = isSettled ? unpaidCalls(evidence.calls, events) : 0;
  const complaints = [
    ...complain(isLost(evidence, terminals), `no end: state ${view?.state ?? 'missing'}`),
    ...complain(terminals.length > 1, `${terminals.length} ends`),
    ...complain(isRepeated(stored, evidence.expected), `text is there twice: ${stored}`),
    ...tears(evidence, stored, terminals),
    ...complain(duplicates > relays, `${duplicates} calls too many, ${relays} attempts that explain one`),
    ...complain(unpaid > 0, `${unpaid} calls without a usage: ${account(evidence.calls, events)}`),
  ];
  return {
    status: statusOf(testimony, view),
    lost: isLost(evidence, terminals),
    doubled: terminals.length > 1 || isRepeated(stored, evidence.expected),
    torn: tears(evidence, stored, terminals).length > 0,
    duplicateCalls: duplicates,
    unexplained: duplicates > relays,
    unpaid: unpaid > 0,
    usageDifference: evidence.failover ? 0 : usageDifference(evidence.calls, events),
    complaints: complaints.map((words) => `${testimony.jobId ?? 'a job without an id'}: ${words}`),
  };
}

function statusOf({ sights }: Testimony, view: JobView | undefined): Verdict['status'] {
  const state = view?.state;
  if (state === 'completed' || state === 'failed' || state === 'cancelled' || state === 'refused')
    return state;
  return sights.some(({ error }) => error !== undefined) ? 'refused' : 'unseen';
}

/** A job that Redis does not know is lost only if somebody was told that it was there. */
function isLost({ testimony, view, failover }: Evidence, terminals: readonly JobEvent[]): boolean {
  if (view) return terminals.length === 0 && view.state !== 'refused';
  if (failover?.isDeadLetter) return false;
  return testimony.sights.some(({ accepted, done, text }) => accepted || done || text !== '');
}

function tears(
  { testimony, view, expected, failover }: Evidence,
  stored: string,
  terminals: readonly JobEvent[],
) {
  const completed = terminals[0]?.type === 'completed' || (failover !== undefined && !view);
  const known = failover ? expected : stored;
  const gaps = view?.entries.some(({ sequence }, at) => sequence !== at + 1) ?? false;
  return [
    ...complain(gaps, 'the log has a gap'),
    ...complain(
      terminals[0]?.type === 'completed' && stored !== expected,
      `stored "${stored}" instead of "${expected}"`,
    ),
    ...complain(!expected.startsWith(stored), `stored "${stored}", no beginning of "${expected}"`),
    ...testimony.sights.flatMap((sight) => tearsOfSight(sight, known, completed)),
  ];
}

function tearsOfSight({ text, done, error }: Sight, stored: string, completed: boolean): string[] {
  return [
    ...complain(!stored.startsWith(text), `a client read "${text}", stored is "${stored}"`),
    ...complain(done && text !== stored, `an answer called whole: "${text}", stored is "${stored}"`),
    ...complain(done && !completed, 'an answer called whole of a job that was not completed'),
    ...complain(done && error !== undefined, `an answer called whole after the error ${error ?? ''}`),
  ];
}

function complain(wrong: boolean, words: string): string[] {
  return wrong ? [words] : [];
}

function textOf(events: readonly JobEvent[]): string {
  return events.map((event) => (event.type === 'text' ? event.delta : '')).join('');
}

/** Longer than the answer, and made of it. */
function isRepeated(stored: string, expected: string): boolean {
  return expected !== '' && stored.length > expected.length && stored.includes(expected.slice(0, 40), 1);
}

/**
 * What certainly no call of the provider came before that the log knows as failed: a lost attempt, and a proxy that took no
 * connection. After any other failure there may have been none either (an open circuit, LiteLLM's own 500, a connection to
 * it that broke): such a job's duplicates are counted short.
 */
const NOT_CALLED: ReadonlySet<string> = new Set(['attempt_lost', 'upstream_unreachable']);

/** All calls but the first, less those that the retry layer made on purpose after a failure it had seen. */
function duplicateCalls(calls: readonly Call[], events: readonly JobEvent[]): number {
  const onPurpose = events.filter((event) => event.type === 'retry' && !NOT_CALLED.has(event.after)).length;
  return Math.max(0, calls.length - 1 - onPurpose);
}

/** Attempts that another one followed, and whose call it had to make again: not those that gave the job back uncalled. */
function relayedAttempts(events: readonly JobEvent[]): number {
  const attempts = events.filter(({ type }) => type === 'attempt').length;
  const uncalled = events.filter(
    (event) =>
      event.type === 'released' &&
      !events.some((usage) => usage.type === 'usage' && usage.attempt === event.attempt),
  );
  return Math.max(0, attempts - 1 - uncalled.length);
}

/** What the log tells of a job's calls, and what the provider does. */
export function account(calls: readonly Call[], events: readonly JobEvent[]): string {
  const told = events.filter(({ type }) => TELLING.has(type));
  return `${JSON.stringify(told)} ${JSON.stringify(calls)}`;
}

const TELLING: ReadonlySet<string> = new Set<JobEvent['type']>([
  'usage',
  'retry',
  'attempt',
  'released',
  'completed',
  'failed',
  'cancelled',
]);

/** One that the provider answered with an error status costs nothing. */
function unpaidCalls(calls: readonly Call[], events: readonly JobEvent[]): number {
  const begun = calls.filter(({ outcome }) => outcome !== 'failed').length;
  return Math.max(0, begun - events.filter(({ type }) => type === 'usage').length);
}

/**
 * In tokens: reported usages that are no call's that the provider ended; and calls that it ended and that nobody told of,
 * of a job that no attempt was lost of. A call that the provider ended may have been cut behind it: that one is estimated.
 */
export function usageDifference(calls: readonly Call[], events: readonly JobEvent[]): number {
  const ended = calls.filter(({ outcome }) => outcome === 'completed').map(tokensOfCall);
  const invented = usages(events, 'reported').filter((tokens) => {
    const found = ended.findIndex(
      (call) => call.prompt === tokens.prompt && call.completion === tokens.completion,
    );
    if (found >= 0) ended.splice(found, 1);
    return found < 0;
  });
  const whole =
    events.at(-1)?.type === 'completed' && events.filter(({ type }) => type === 'attempt').length === 1;
  const untold = ended.slice(usages(events, 'estimated').length);
  return sumOfTokens(invented) + (whole ? sumOfTokens(untold) : 0);
}

interface Tokens {
  prompt: number;
  completion: number;
}

function usages(events: readonly JobEvent[], source: UsageEvent['source']): Tokens[] {
  return events
    .filter((event): event is UsageEvent => event.type === 'usage' && event.source === source)
    .map(({ usage }) => ({ prompt: usage.prompt_tokens, completion: usage.completion_tokens }));
}

function tokensOfCall({ promptTokens, completionTokens }: Call): Tokens {
  return { prompt: promptTokens, completion: completionTokens };
}

function sumOfTokens(all: readonly Tokens[]): number {
  return all.reduce((sum, { prompt, completion }) => sum + prompt + completion, 0);
}
