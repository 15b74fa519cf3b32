import { describe, expect, test } from '@jest/globals';
import { type JobMessage } from '../../shared/contracts/job-message.ts';
import { createDeadLetters, type DeadLetter, readLetter } from '../../shared/jobs/dead-letters.ts';
import { type OutboundMessage } from '../../shared/platform/kafka/port.ts';
import { SendError } from '../../shared/platform/kafka/send-error.ts';
import { topicNames } from '../../shared/platform/kafka/topics.ts';
import {
  type JobRecord,
  jobIdOf,
  judgeLetter,
  readPayload,
  type ReplayFacts,
  type LetterVerdict,
} from './verdict.ts';

const topics = topicNames('turnout');
const [now, minute, hour] = [1_800_000_000_000, 60_000, 3_600_000];
const job: JobMessage = {
  version: 1,
  jobId: `job_${'0'.repeat(31)}1`,
  user: 'user-1',
  userHash: 'h',
  model: 'm',
  question: 'q',
  request: { kind: 'inline', request: { model: 'm', messages: [{ role: 'user', content: 'q' }] } },
  documents: [],
  acceptedAt: now - minute,
  deadlineAt: now + minute,
};
const event = {
  version: 1,
  id: 'e',
  jobId: job.jobId,
  userHash: 'h',
  model: 'm',
  status: 'completed',
  attempts: 1,
  at: now,
  ms: { total: 1 },
  usage: [],
};

function letter(more: Partial<DeadLetter> = {}): DeadLetter {
  const origin = 'turnout.jobs/3/42';
  return { origin, reason: 'r', originalId: job.jobId, key: 'k', value: '{', headers: {}, ...more };
}

describe('a dead letter is read as', () => {
  test.each<[string, Partial<DeadLetter>, unknown]>([
    ['a job', { value: JSON.stringify(job) }, { kind: 'job', topic: 'turnout.jobs', job }],
    ['a job that cannot be read', {}, { kind: 'unreadable', topic: 'turnout.jobs' }],
    [
      'an event',
      { origin: 'turnout.events/0/1', value: JSON.stringify(event) },
      { kind: 'event', topic: 'turnout.events' },
    ],
    [
      'an event that cannot be read',
      { origin: 'turnout.events/0/1' },
      { kind: 'unreadable', topic: 'turnout.events' },
    ],
    ['a poison job', { origin: `bullmq/llm/${job.jobId}` }, { kind: 'nowhere' }],
    [
      'a message of another system',
      { origin: 'other.jobs/0/1', value: JSON.stringify(job) },
      { kind: 'nowhere' },
    ],
    ['a message of an unknown topic', { origin: 'turnout.jobs.dlq/0/1' }, { kind: 'nowhere' }],
  ])('%s', (_name, more, payload) => {
    expect(readPayload(letter(more), topics)).toMatchObject(payload as object);
  });
});

describe('the job id of a dead letter', () => {
  const idOf = (more: Partial<DeadLetter>) =>
    jobIdOf(letter(more), readPayload(letter(more), topics), topics);
  test('comes from its message, else from its header', () => {
    expect(idOf({ value: JSON.stringify(job), originalId: 'x' })).toBe(job.jobId);
    expect(idOf({})).toBe(job.jobId);
    expect(idOf({ originalId: 'x' })).toBeUndefined();
  });
  test('is undefined for an event, because its job has ended', () => {
    expect(idOf({ origin: 'turnout.events/0/1', value: JSON.stringify(event) })).toBeUndefined();
  });
});

describe('a replay sends', () => {
  const facts = (more: Partial<ReplayFacts>): ReplayFacts => ({
    payload: { kind: 'job', topic: topics.jobs, job },
    record: undefined,
    now,
    retentionMs: hour,
    force: false,
    ...more,
  });
  const record = (state: JobRecord['state']): JobRecord => ({ state, ending: undefined });
  const unreadable = { kind: 'unreadable', topic: topics.jobs, why: 'no JSON' } as const;
  const old = { ...job, acceptedAt: now - hour, deadlineAt: now + 20 * hour };
  const oldJob = { kind: 'job', topic: topics.jobs, job: old } as const;
  const sent: LetterVerdict = { send: true, topic: topics.jobs };

  test.each<[string, Partial<ReplayFacts>, LetterVerdict]>([
    ['a job that was never routed', { record: record('admitting') }, sent],
    ['a job that waits', { record: record('queued') }, sent],
    ['a job that runs', { record: record('running') }, sent],
    ['a job whose record is lost, with a new record', {}, { ...sent, admit: job }],
    ['an old job that has a record', { payload: oldJob, record: record('admitting') }, sent],
    ['an old job without a record, with --force', { payload: oldJob, force: true }, { ...sent, admit: old }],
    ['an event', { payload: { kind: 'event', topic: 'e' } }, { send: true, topic: 'e' }],
    ['an unreadable message, with --force', { payload: unreadable, force: true }, sent],
  ])('%s', (_name, more, verdict) => {
    expect(judgeLetter(facts(more))).toEqual(verdict);
  });

  test.each<[string, Partial<ReplayFacts>, RegExp]>([
    ['a job that has ended', { record: { state: 'failed', ending: 'failed, x' }, force: true }, /failed, x/],
    ['a job that was refused', { record: record('refused'), force: true }, /ended \(refused\)/],
    [
      'an unreadable message whose job has ended',
      { payload: unreadable, record: record('failed'), force: true },
      /end/,
    ],
    ['a message that this version cannot read', { payload: unreadable }, /cannot read the message: no JSON/],
    ['a job past its deadline', { now: job.deadlineAt, force: true }, /deadline passed at 20/],
    ['an old job without a record, which may have been answered', { payload: oldJob }, /answered already/],
    [
      'a message without a topic to send it to',
      { payload: { kind: 'nowhere', why: 'w' }, force: true },
      /^w$/,
    ],
  ])('but not %s', (_name, more, why) => {
    const verdict = judgeLetter(facts(more));
    expect(verdict).toEqual({ send: false, why: expect.stringMatching(why) });
  });
});

test.each(['jobs', 'events'] as const)(
  'a dead letter from %s that holds only the beginning of its message is never sent, even with --force',
  async (source) => {
    const taken: OutboundMessage[] = [];
    const send = (message: OutboundMessage) => {
      if (message.value.length > 100_000) return Promise.reject(new SendError('too_large', 'too large'));
      taken.push(message);
      return Promise.resolve();
    };
    const producer = { send, connected: () => true, close: () => Promise.resolve() };
    const origin = `${topics[source]}/3/42`;
    const value = JSON.stringify({ ...job, question: 'q'.repeat(200_000) });
    await createDeadLetters(producer, topics.deadLetters, 'test').publish(letter({ origin, value }));
    const [{ headers, key, value: kept }] = taken as [OutboundMessage];
    const place = { topic: topics.deadLetters, partition: 0, offset: 0n, timestamp: now };
    const stored = readLetter({ ...place, key, value: kept, headers: { ...headers } });
    const payload = readPayload(stored, topics);
    const verdict = judgeLetter({ payload, record: undefined, now, retentionMs: hour, force: true });
    expect(verdict).toEqual({
      send: false,
      why: expect.stringContaining(`the whole message is at ${origin}`),
    });
  },
);
