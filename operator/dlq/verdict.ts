import { jobId } from '../../shared/platform/ids.ts';
import { type JobMessage, readJobMessage } from '../../shared/contracts/job-message.ts';
import { outcome } from '../../shared/contracts/outcome.ts';
import { type JobState } from '../../shared/jobs/joblog/job-log.ts';
import { type DeadLetter, isShortened, topicOf } from '../../shared/jobs/dead-letters.ts';
import { type Topics } from '../../shared/platform/kafka/topics.ts';

/** What this version makes of a dead letter's message. */
export type Payload =
  | { kind: 'job'; topic: string; job: JobMessage }
  | { kind: 'event'; topic: string }
  | { kind: 'unreadable'; topic: string; why: string }
  /** There is nothing of ours to send, or no topic of ours to send it to. */
  | { kind: 'nowhere'; why: string };

/** The record of a letter's job. */
export interface JobRecord {
  state: JobState;
  /** How and when it ended, in words, where its log says so. */
  ending: string | undefined;
}

export interface ReplayFacts {
  payload: Payload;
  /** Undefined: the job has no record, or the letter names no job. */
  record: JobRecord | undefined;
  /** Milliseconds since the epoch. */
  now: number;
  /** Milliseconds that the record of an ended job is kept. */
  retentionMs: number;
  /** The operator knows better than this version. */
  force: boolean;
}

export type LetterVerdict =
  /** `admit`: its job has no record, and gets one again before the message is sent. */
  { send: true; topic: string; admit?: JobMessage } | { send: false; why: string };

export function readPayload(letter: DeadLetter, topics: Topics): Payload {
  const topic = topicOf(letter);
  if (topic !== undefined && isShortened(letter)) return { kind: 'nowhere', why: shortenedAt(letter) };
  if (topic === topics.jobs) {
    const job = readJobMessage(letter.value);
    return job instanceof Error
      ? { kind: 'unreadable', topic, why: job.message }
      : { kind: 'job', topic, job };
  }
  if (topic === topics.events) {
    return isOutcome(letter.value)
      ? { kind: 'event', topic }
      : { kind: 'unreadable', topic, why: 'it is no event' };
  }
  const why = topic === undefined ? 'kept for inspection: its client was told that the job failed' : STRANGER;
  return { kind: 'nowhere', why };
}

function shortenedAt({ origin }: DeadLetter): string {
  return `only its beginning is in the letter, since the whole was too large; the whole message is at ${origin} for as long as that topic keeps it`;
}

const STRANGER = 'it did not come from a topic of this system';

/** The job whose record decides about a letter; undefined for events, whose jobs have ended by nature. */
export function jobIdOf(letter: DeadLetter, payload: Payload, topics: Topics): string | undefined {
  if (payload.kind === 'job') return payload.job.jobId;
  if (payload.kind !== 'unreadable' || payload.topic !== topics.jobs) return undefined;
  return jobId.safeParse(letter.originalId).data;
}

/**
 * Whether to send a letter's message again.
 *
 * A job that has ended never moves again, so the router would drop its message: its client has its answer or its error. A
 * job without a record may have ended so long ago that the record is gone, and would then be answered twice; it cannot
 * have within one retention of its acceptance, since a record outlives its job's end by that.
 */
export function judgeLetter({ payload, record, now, retentionMs, force }: ReplayFacts): LetterVerdict {
  if (payload.kind === 'nowhere') return no(payload.why);
  if (record && isEnded(record.state)) return no(`its job has ended (${record.ending ?? record.state})`);
  if (payload.kind === 'unreadable') {
    return force ? { send: true, topic: payload.topic } : no(`this version cannot read it: ${payload.why}`);
  }
  if (payload.kind === 'event') return { send: true, topic: payload.topic };

  const { topic, job } = payload;
  if (job.deadlineAt <= now) return no(`its deadline passed at ${new Date(job.deadlineAt).toISOString()}`);
  if (record) return { send: true, topic };
  const certainlyOpen = now < job.acceptedAt + retentionMs;
  return certainlyOpen || force ? { send: true, topic, admit: job } : no(FORGOTTEN);
}

const FORGOTTEN = 'its job has no record any more and may have been answered before (--force runs it)';

function no(why: string): LetterVerdict {
  return { send: false, why };
}

function isEnded(state: JobState): boolean {
  return state !== 'admitting' && state !== 'queued' && state !== 'running';
}

function isOutcome(text: string): boolean {
  try {
    return outcome.safeParse(JSON.parse(text)).success;
  } catch {
    return false;
  }
}
