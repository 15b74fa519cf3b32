import { describe, expect, test } from '@jest/globals';
import { readOutcome } from '../../services/metrics/read-event.ts';
import { extractJob } from '../../shared/content/files/extract-job.ts';
import { toHeaders } from '../../shared/contracts/cloud-event.ts';
import { CONTROL_STATE_TYPE, CONTROL_TYPE } from '../../shared/contracts/control.ts';
import { contextJob, contextPieces, llmJob } from '../../shared/contracts/flow.ts';
import { readEvent, writtenEvent } from '../../shared/contracts/job-event.ts';
import {
  DEAD_LETTER_TYPE,
  JOB_TYPE,
  OUTCOME_TYPE,
  readJobMessage,
} from '../../shared/contracts/job-message.ts';
import { readLetter } from '../../shared/jobs/dead-letters.ts';
import { deliveryJob } from '../../shared/jobs/webhooks/deliveries-queue.ts';
import { readControl } from '../../shared/rollout/control/read-control.ts';
import { readState } from '../../shared/rollout/control/read-state.ts';
import { jsonOf, readGolden } from './read.ts';
import { fromText, type Message, type StoredKey, type Text } from './recording.ts';

/** Reads every message that release 0.1.0 wrote with today's readers. Nothing of a message may be lost. */
const golden = readGolden();
const textOf = ({ value }: Message) => fromText(value).toString('utf8');
const valuesIn = (messages: readonly Message[]) => messages.flatMap(({ value }) => jsonOf(value) ?? []);

test('every job message is read in full', () => {
  const written = golden.jobs.filter(({ headers }) => headers['ce_type'] === JOB_TYPE);
  expect(written.length).toBeGreaterThan(20);
  expect(written.map((message) => readJobMessage(textOf(message)))).toEqual(valuesIn(written));
});

test('every outcome is read in full', () => {
  const written = golden.events.filter(({ headers }) => headers['ce_type'] === OUTCOME_TYPE);
  expect(written.length).toBeGreaterThan(20);
  const read = written.map((message) => readOutcome({ value: textOf(message) }));
  expect(read).toEqual(valuesIn(written).map((outcome) => ({ outcome })));
});

test('every command, result and state of the rollout is read in full', () => {
  expect(golden.control.map((message) => readControl(textOf(message)))).toEqual(valuesIn(golden.control));
  const states = golden['control-state'];
  expect(states.map((message) => readState(textOf(message)))).toEqual(valuesIn(states));
});

test('every dead letter is read with its origin, reason and original headers', () => {
  const [letter, ...others] = golden['dead-letters'].map(({ key, headers, value }) =>
    readLetter({
      topic: 't',
      partition: 0,
      offset: 0n,
      timestamp: 0,
      key,
      headers,
      value: fromText(value).toString(),
    }),
  );
  expect(letter).toMatchObject({
    origin: expect.stringMatching(/^golden\.(jobs|events)\/0\/\d+$/),
    reason: expect.stringMatching(/.{10}/),
    originalId: 'golden',
    key: 'ada',
    headers: { ce_id: 'golden' },
  });
  expect(others).toHaveLength(1);
});

test.each([
  ['jobs', golden.jobs, JOB_TYPE, 'ingress'],
  ['events', golden.events, OUTCOME_TYPE, 'llm-worker'],
  ['dead letters', golden['dead-letters'], DEAD_LETTER_TYPE, 'router'],
  ['commands', golden.control, CONTROL_TYPE, 'operator'],
  ['states', golden['control-state'], CONTROL_STATE_TYPE, 'metrics'],
])('the CloudEvents headers of %s have the same names and type', (_topic, messages, type, source) => {
  const written = messages.find(({ headers }) => headers['ce_source'] === source)?.headers ?? {};
  const today = toHeaders({ id: 'id', type, source });
  expect(written).toMatchObject({ ...today, ce_id: expect.any(String), ce_time: expect.any(String) });
});

describe('in the job Redis', () => {
  const keysLike = (pattern: RegExp) => golden['job-redis'].filter(({ key }) => pattern.test(key));
  const fields = ({ value }: StoredKey) => value as Record<string, Text>;

  test('every event of every job log is read in full', () => {
    const entries = keysLike(/:log:job_/).flatMap(({ value }) => value as [string, string, Text][]);
    const events = entries.map(([, , event]) => jsonOf(event));
    expect(new Set(events.map((event) => (event as { type: string }).type)).size).toBeGreaterThan(14);
    expect(events.map((event) => writtenEvent(readEvent(event)))).toEqual(events);
  });

  test.each([
    ['llm', /:llm:job_[0-9a-f]+$/, llmJob],
    ['context, documents and sources', /:(context|documents|sources):job_[^:]+$/, contextJob],
    ['extract', /:extract:file-[^:]+$/, extractJob],
    ['webhooks', /:webhooks:whd_[^:]+$/, deliveryJob],
  ])('all data in the queue %s are read in full', (_queue, pattern, schema) => {
    const data = keysLike(pattern).map((key) => jsonOf(fields(key)['data']));
    expect(data.length).toBeGreaterThan(0);
    expect(data.map((one) => schema.parse(one))).toEqual(data);
  });

  test('every result of a piece of context is read in full', () => {
    const results = keysLike(/:(context|documents|sources):job_[^:]+$/).flatMap(
      (key) => jsonOf(fields(key)['returnvalue']) ?? [],
    );
    expect(results.length).toBeGreaterThan(0);
    expect(contextPieces.parse(results)).toEqual(results);
  });

  test('every staged job is read in full', () => {
    const staged = keysLike(/:fair:jobs$/).flatMap((key) => Object.values(fields(key)).map(jsonOf));
    expect(staged.length).toBeGreaterThan(0);
    for (const job of staged as { llm: unknown; context: unknown[]; schedule: unknown }[]) {
      expect(llmJob.parse(job.llm)).toEqual(job.llm);
      expect(job.context.map((one) => contextJob.parse(one))).toEqual(job.context);
      expect(job.schedule).toMatchObject({ priority: 'background', cost: expect.any(Number) });
    }
  });
});
