import { describe, expect, test } from '@jest/globals';
import { type JobEvent } from '../../../shared/contracts/job-event.ts';
import { type Outcome } from '../../../shared/contracts/outcome.ts';
import { createAttemptWriter } from './attempt-writer.ts';
import { type Appended, type Finished, type JobLog } from '../../../shared/jobs/joblog/job-log.ts';

const jobId = `job_${'0'.repeat(32)}`;
const fence = { counter: 1, nonce: 'n' };
const text = (delta: string): JobEvent => ({ type: 'text', choice: 0, delta });
const completed: JobEvent = { type: 'completed', at: 1 };
const outcome = { status: 'completed' } as Outcome;

/** The append script's rules, in memory; each function in `answers` replaces one reply. */
function memoryLog(existing: number) {
  const stored: JobEvent[] = Array.from({ length: existing }, () => ({
    type: 'accepted',
    at: 0,
    model: 'm',
  }));
  const answers: (() => Appended)[] = [];
  const append = (expected: number, events: readonly JobEvent[]): Appended => {
    const answer = answers.shift();
    if (answer) return answer();
    if (stored.length < expected) return { kind: 'behind', lastSequence: stored.length };
    stored.push(...events.slice(stored.length - expected));
    return { kind: 'appended', lastSequence: stored.length, cancel: undefined };
  };
  const log: Pick<JobLog, 'append' | 'finish'> = {
    append: async (_job, _fence, expected, events) => {
      await Promise.resolve();
      return append(expected, events);
    },
    finish: async (_job, finisher, events): Promise<Finished> => {
      await Promise.resolve();
      const result = append(finisher.expected, events);
      if (result.kind !== 'appended') return result;
      return { kind: 'finished', hookNames: [], outboxRow: 'row', lastSequence: result.lastSequence };
    },
  };
  const writer = createAttemptWriter({
    log: log as JobLog,
    jobId,
    fence,
    lastSequence: existing,
    onCancel: () => undefined,
  });
  return { stored, answers, writer };
}

function textOf(events: readonly JobEvent[]): string {
  return events.map((event) => (event.type === 'text' ? event.delta : '')).join('');
}

describe('an attempt writes', () => {
  test('events in order, and the terminal event after all of them', async () => {
    const { writer, stored } = memoryLog(3);
    for (const letter of 'abcdef') writer.write(text(letter));
    await expect(writer.finish([completed], outcome)).resolves.toMatchObject({ outboxRow: 'row' });
    expect(textOf(stored)).toBe('abcdef');
    expect(stored.at(-1)).toEqual(completed);
  });

  test('events that arrive during an append together, with the next append', async () => {
    const { writer, stored } = memoryLog(0);
    for (const letter of 'abcdef') writer.write(text(letter));
    await writer.finish([completed], outcome);
    expect(stored).toEqual([text('a'), text('bcdef'), completed]);
  });

  test('nothing for an empty write, which does not delay the end', async () => {
    const { writer, stored } = memoryLog(0);
    writer.write();
    await writer.finish([completed], outcome);
    expect(stored).toEqual([completed]);
  });

  test('its last events again when Redis lost them in a restart', async () => {
    const { writer, stored } = memoryLog(2);
    writer.write(text('a'));
    await Promise.resolve();
    writer.write(text('b'));
    stored.length = Math.min(stored.length, 2);
    writer.write(text('c'));
    await writer.finish([completed], outcome);
    expect(textOf(stored)).toBe('abc');
  });

  test('and flush() waits until all events are in the log', async () => {
    const { writer, stored } = memoryLog(1);
    for (const letter of 'abcdef') writer.write(text(letter));
    await writer.flush();
    expect(textOf(stored)).toBe('abcdef');
  });

  test('and flush() rejects when another attempt holds the fence', async () => {
    const { writer, answers } = memoryLog(0);
    answers.push(() => ({ kind: 'fenced' }));
    writer.write(text('a'));
    await expect(writer.flush()).rejects.toMatchObject({ why: 'fenced' });
  });

  test('nothing more once another attempt holds the fence, and finish() rejects', async () => {
    const { writer, answers } = memoryLog(0);
    answers.push(() => ({ kind: 'fenced' }));
    writer.write(text('a'));
    await expect(writer.finish([completed], outcome)).rejects.toMatchObject({
      name: 'AttemptOver',
      why: 'fenced',
    });
    expect(writer.lost.aborted).toBe(true);
  });

  test('nothing when the log lost events of earlier writers, which cannot be restored', async () => {
    const { writer, answers } = memoryLog(5);
    answers.push(() => ({ kind: 'behind', lastSequence: 3 }));
    writer.write(text('a'));
    await expect(writer.finish([completed], outcome)).rejects.toMatchObject({ why: 'missing' });
  });
});
