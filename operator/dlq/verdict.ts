import { jobId } from '../../shared/platform/ids.ts';
import { type JobMessage, readJobMessage } from '../../shared/contracts/job-message.ts';
import { outcome } from '../../shared/contracts/outcome.ts';
import { type JobState } from '../../shared/jobs/joblog/job-log.ts';
import { type DeadLetter, isShortened, topicOf } from '../../shared/jobs/dead-letters.ts';
import { type Topics } from '../../shared/platform/kafka/topics.ts';

/** A dead letter's message, as this version reads it. */
export type Payload =
  | { kind: 'job'; topic: string; job: JobMessage }
  | { kind: 'event'; topic: string }
  | { kind: 'unreadable'; topic: string; why: string }
  /** There is no message to send, or no topic of this system to send it to. */
  | { kind: 'nowhere'; why: string };

/** The record of a dead letter's job. */
export interface JobRecord {
  state: JobState;
  /** How and when the job ended, as text, if its log has a terminal event. */
  ending: string | undefined;
}

export interface ReplayFacts {
  payload: Payload;
  /** Undefined: the job has no record, or the dead letter names no job. */
  record: JobRecord | undefined;
  /** Milliseconds since the epoch. */
  now: number;
  /** How long the record of an ended job is kept, in milliseconds. */
  retentionMs: number;
  /** Send even if this version cannot read the message or cannot tell whether the job was answered. */
  force: boolean;
}

export type LetterVerdict =
  /** `admit`: the job has no record; it gets a new one before the message is sent. */
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
      : { kind: 'unreadable', topic, why: 'not a valid event' };
  }
  const why = topic === undefined ? 'poison job, kept for inspection: its client got an error' : STRANGER;
  return { kind: 'nowhere', why };
}

function shortenedAt({ origin }: DeadLetter): string {
  return `the message was too large, so the dead letter holds only its beginning; the whole message is at ${origin} until the retention of that topic removes it`;
}

const STRANGER = 'the message did not come from a topic of this system';

/** The job whose record decides whether a dead letter can be replayed. Undefined for events: their jobs have ended. */
export function jobIdOf(letter: DeadLetter, payload: Payload, topics: Topics): string | undefined {
  if (payload.kind === 'job') return payload.job.jobId;
  if (payload.kind !== 'unreadable' || payload.topic !== topics.jobs) return undefined;
  return jobId.safeParse(letter.originalId).data;
}

/**
 * Decides whether to send a dead letter's message again.
 *
 * An ended job is never sent: its client has an answer or an error, and the router would drop the message. A job without a record
 * may have ended so long ago that its record has expired; running it again would answer it twice. This is impossible within one
 * retention period of its acceptance, because a record is kept for that long after its job ends.
 */
export function judgeLetter({ payload, record, now, retentionMs, force }: ReplayFacts): LetterVerdict {
  if (payload.kind === 'nowhere') return no(payload.why);
  if (record && isEnded(record.state)) return no(`the job has ended (${record.ending ?? record.state})`);
  if (payload.kind === 'unreadable') {
    return force
      ? { send: true, topic: payload.topic }
      : no(`this version cannot read the message: ${payload.why}`);
  }
  if (payload.kind === 'event') return { send: true, topic: payload.topic };

  const { topic, job } = payload;
  if (job.deadlineAt <= now)
    return no(`the job's deadline passed at ${new Date(job.deadlineAt).toISOString()}`);
  if (record) return { send: true, topic };
  const certainlyOpen = now < job.acceptedAt + retentionMs;
  return certainlyOpen || force ? { send: true, topic, admit: job } : no(FORGOTTEN);
}

const FORGOTTEN = 'the job has no record and may have been answered already (--force runs it anyway)';

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
