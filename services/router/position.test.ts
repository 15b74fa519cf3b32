import { describe, expect, test } from '@jest/globals';
import { type PartitionOffsets } from '../../shared/platform/kafka/port.ts';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { createPosition, PositionLost } from './position.ts';
import { type Watermark } from './watermarks.ts';

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
type OnLost = 'stop' | 'replay' | 'skip';

function knownToKafka(found: Partial<Record<'committed' | 'at' | 'end', bigint>>): PartitionOffsets {
  return {
    committed: () => Promise.resolve(found.committed),
    at: (timestamp) => Promise.resolve(timestamp === 0 ? 2n : (found.at ?? 0n)),
    end: () => Promise.resolve(found.end ?? 1_000n),
  };
}

const resets: [partition: number, from: bigint, to: bigint][] = [];

function router(mark: Watermark | undefined, onLost: OnLost) {
  const unused = {
    reading: () => undefined,
    advance: () => Promise.reject(new Error('unused')),
    reset: (partition: number, { next }: Watermark, to: bigint) => {
      resets.push([partition, next, to]);
      return Promise.resolve();
    },
  };
  const watermarks = { ...unused, read: () => Promise.resolve(mark) };
  return createPosition({ watermarks, onLost, retentionMs: HOUR_MS, log: silentLogger });
}

function begin(mark: Watermark | undefined, onLost: OnLost, offsets: PartitionOffsets) {
  const { signal } = new AbortController();
  return router(mark, onLost).of({ topic: 't', partition: 0, offsets, signal });
}

describe('a router starts', () => {
  const at = Date.now();
  test.each<[string, Watermark | undefined, OnLost, PartitionOffsets, bigint | undefined]>([
    ['a minute before the watermark', { next: 90n, at }, 'stop', knownToKafka({ at: 40n }), 40n],
    ['never past the watermark', { next: 30n, at }, 'stop', knownToKafka({ at: 40n }), 30n],
    ['at a watermark without a time', { next: 30n, at: undefined }, 'stop', knownToKafka({ at: 4n }), 30n],
    [
      'at the default of its consumer group, in a partition that was never routed',
      undefined,
      'stop',
      knownToKafka({}),
      undefined,
    ],
    ['at the oldest message, when told to replay', undefined, 'replay', knownToKafka({ committed: 9n }), 2n],
    ['at the committed offset, when told to skip', undefined, 'skip', knownToKafka({ committed: 9n }), 9n],
  ])('%s', async (_name, mark, onLost, offsets, expected) => {
    expect(await begin(mark, onLost, offsets)).toBe(expected);
  });

  test('nowhere when Redis lost the position; the position counts as known again when the partition is revoked', async () => {
    const position = router(undefined, 'stop');
    const asking = new AbortController();
    const question = {
      topic: 't',
      partition: 0,
      offsets: knownToKafka({ committed: 9n }),
      signal: asking.signal,
    };
    await expect(position.of(question)).rejects.toThrow(PositionLost);
    expect(position.known()).toBe(false);
    asking.abort();
    expect(position.known()).toBe(true);
  });
});

test('messages whose job records may have expired are not routed again', async () => {
  const asked: number[] = [];
  const offsets = { ...knownToKafka({}), at: (time: number) => Promise.resolve(BigInt(asked.push(time))) };
  const now = Date.now();
  await begin({ next: 90n, at: now }, 'stop', offsets);
  await begin({ next: 90n, at: now - 2 * HOUR_MS }, 'stop', offsets);
  expect(asked[0]).toBe(now - MINUTE_MS);
  expect(asked[1]).toBeGreaterThanOrEqual(now - HOUR_MS);
});

test('a topic that ends before the watermark was recreated: its messages are routed by their time', async () => {
  const offsets = knownToKafka({ at: 3n, end: 12n });
  expect(await begin({ next: 90n, at: Date.now() }, 'stop', offsets)).toBe(3n);
  expect(await begin({ next: 90n, at: undefined }, 'stop', offsets)).toBe(2n);
  expect(resets).toEqual([
    [0, 90n, 3n],
    [0, 90n, 2n],
  ]);
  expect(await begin({ next: 12n, at: undefined }, 'stop', offsets)).toBe(12n);
});
