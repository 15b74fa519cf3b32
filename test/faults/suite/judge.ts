import { isTerminal, type JobEvent, type UsageEvent } from '../../../shared/contracts/job-event.ts';
import { type JobView } from '../../../shared/jobs/joblog/job-log.ts';
import { type Call } from '../../upstream/ledger.ts';
import { type Sight, type Testimony } from './client.ts';

/** What three independent sources say about one job: its client, the job log, the provider. */
export interface Evidence {
  testimony: Testimony;
  /** Undefined if Redis has no such job. */
  view: JobView | undefined;
  calls: readonly Call[];
  /** The answer of a model without faults. */
  expected: string;
  /** Set only if the job Redis came back without its last writes. */
  failover?: Failover;
}

/**
 * What a job may lose when the job Redis comes back without its last writes: attempts and usages, so that calls need no explanation; text
 * that a client has read, which the next attempt produces again; and the record. The router recreates the record from the job's message
 * if an idempotency key leads to the job. Otherwise the message becomes a dead letter, and the job counts as lost only if there is none.
 */
export interface Failover {
  isDeadLetter: boolean;
}

export interface Verdict {
  /** `refused`: the client received an error instead of a job. `unseen`: the client left before it learned of its job. */
  status: 'completed' | 'failed' | 'cancelled' | 'refused' | 'unseen';
  /** Accepted, but without a terminal event. */
  lost: boolean;
  /** More than one terminal event, or text that is stored twice. */
  doubled: boolean;
  /** A client saw text that the record does not have, or the record is not the answer. */
  torn: boolean;
  /** Calls that were made because an attempt was lost. */
  duplicateCalls: number;
  /** More duplicate calls than lost attempts can explain. */
  unexplained: boolean;
  /** The job has ended, and a call that the provider began has neither a reported nor an estimated usage. */
  unpaid: boolean;
  /** Tokens that were reported but do not match the provider's calls. */
  usageDifference: number;
  /** What is wrong, in words and with the job's id. */
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
    ...complain(isLost(evidence, terminals), `no terminal event: state ${view?.state ?? 'missing'}`),
    ...complain(terminals.length > 1, `${terminals.length} terminal events`),
    ...complain(isRepeated(stored, evidence.expected), `text is stored twice: ${stored}`),
    ...tears(evidence, stored, terminals),
    ...complain(duplicates > relays, `${duplicates} duplicate calls, but only ${relays} lost attempts`),
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

/** A job that Redis does not have is lost only if its client learned of it. */
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
    ...complain(!expected.startsWith(stored), `stored "${stored}", which is no prefix of "${expected}"`),
    ...testimony.sights.flatMap((sight) => tearsOfSight(sight, known, completed)),
  ];
}

function tearsOfSight({ text, done, error }: Sight, stored: string, completed: boolean): string[] {
  return [
    ...complain(!stored.startsWith(text), `a client read "${text}", stored is "${stored}"`),
    ...complain(done && text !== stored, `an answer marked complete: "${text}", stored is "${stored}"`),
    ...complain(done && !completed, 'an answer marked complete, of a job that did not complete'),
    ...complain(done && error !== undefined, `an answer marked complete after the error ${error ?? ''}`),
  ];
}

function complain(wrong: boolean, words: string): string[] {
  return wrong ? [words] : [];
}

function textOf(events: readonly JobEvent[]): string {
  return events.map((event) => (event.type === 'text' ? event.delta : '')).join('');
}

/** Longer than the answer, and contains the answer's beginning a second time. */
function isRepeated(stored: string, expected: string): boolean {
  return expected !== '' && stored.length > expected.length && stored.includes(expected.slice(0, 40), 1);
}

/**
 * Failures in the log that certainly did not follow a provider call: a lost attempt, and a proxy that refused the connection. Other failures
 * may not have followed one either (an open circuit breaker, LiteLLM's own 500, a broken connection to LiteLLM); the duplicates of such
 * jobs are undercounted.
 */
const NOT_CALLED: ReadonlySet<string> = new Set(['attempt_lost', 'upstream_unreachable']);

/** All calls but the first, minus those that the retry layer made after a reported failure. */
function duplicateCalls(calls: readonly Call[], events: readonly JobEvent[]): number {
  const onPurpose = events.filter((event) => event.type === 'retry' && !NOT_CALLED.has(event.after)).length;
  return Math.max(0, calls.length - 1 - onPurpose);
}

/** Attempts after which another one had to repeat a call. Excludes attempts that released the job without calling. */
function relayedAttempts(events: readonly JobEvent[]): number {
  const attempts = events.filter(({ type }) => type === 'attempt').length;
  const uncalled = events.filter(
    (event) =>
      event.type === 'released' &&
      !events.some((usage) => usage.type === 'usage' && usage.attempt === event.attempt),
  );
  return Math.max(0, attempts - 1 - uncalled.length);
}

/** The log's events about a job's calls, and the provider's view of them. */
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

/** Calls without a usage. A call that the provider answered with an error status costs nothing. */
function unpaidCalls(calls: readonly Call[], events: readonly JobEvent[]): number {
  const begun = calls.filter(({ outcome }) => outcome !== 'failed').length;
  return Math.max(0, begun - events.filter(({ type }) => type === 'usage').length);
}

/**
 * Tokens of reported usages that match no call that the provider completed, plus tokens of completed calls without a usage in a job that
 * lost no attempt. A call that the provider completed may have been cut on the way to us; such a call has an estimated usage.
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
