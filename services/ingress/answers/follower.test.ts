import { describe, expect, test } from '@jest/globals';
import { createFollower, MAX_QUEUED } from './follower.ts';
import { type SequencedEvent } from '../../../shared/jobs/joblog/job-log.ts';

const event = (sequence: number): SequencedEvent => ({
  sequence,
  event: { type: 'text', choice: 0, delta: String(sequence) },
});
const sequences = (events: readonly SequencedEvent[]) => events.map(({ sequence }) => sequence);

describe('a follower', () => {
  test('hands out each following event once', () => {
    const follower = createFollower(true);
    follower.push([event(1), event(2)], 10);
    expect(sequences(follower.take(0))).toEqual([1, 2]);
    expect(follower.take(2)).toEqual([]);
    expect(follower.mustAsk()).toBe(false);
  });

  test('reads the stream for missed events and for events from before it began', () => {
    const [fresh, late] = [createFollower(true), createFollower(false)];
    fresh.push([event(1), event(3)], 10);
    expect(sequences(fresh.take(0))).toEqual([1]);
    expect([fresh.mustAsk(), fresh.mustAsk(), late.mustAsk()]).toEqual([true, false, true]);
  });
});

test('a follower that receives an attempt at a sequence it already handed out reads the stream first', () => {
  const follower = createFollower(true);
  const attempt: SequencedEvent = {
    sequence: 2,
    event: { type: 'attempt', at: 1, attempt: 2, path: 'litellm' },
  };
  follower.push([attempt, event(3), event(4)], 10);
  expect(follower.take(3)).toEqual([]);
  expect(follower.mustAsk()).toBe(true);
});

test('a follower whose log became shorter than what it handed out reads the stream before it hands out more', () => {
  const follower = createFollower(true);
  follower.rewound();
  follower.push([event(4)], 10);
  expect([follower.take(3), follower.mustAsk()]).toEqual([[], true]);
  follower.restored();
  follower.push([event(4)], 10);
  expect(sequences(follower.take(3))).toEqual([4]);
});

describe('a follower whose reader is too slow', () => {
  test('queues no more than its limit, and reads the rest from the stream', () => {
    const follower = createFollower(true);
    for (let sequence = 1; sequence <= 1_000; sequence += 1)
      follower.push([event(sequence)], MAX_QUEUED / 100);
    expect(follower.take(0)).toEqual([]);
    expect(follower.mustAsk()).toBe(true);
  });

  test('queues published events again once its reader catches up', () => {
    const follower = createFollower(true);
    follower.push([event(1)], MAX_QUEUED + 1);
    follower.push([event(2)], 10);
    expect(follower.take(0)).toEqual([]);
    expect(follower.mustAsk()).toBe(true);
    follower.push([event(3)], 10);
    expect(sequences(follower.take(2))).toEqual([3]);
    expect(follower.mustAsk()).toBe(false);
  });
});
