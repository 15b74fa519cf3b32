import { beforeEach, describe, expect, test } from '@jest/globals';
import { type Outcome } from '../../shared/contracts/outcome.ts';
import { type DeadLetter } from '../../shared/jobs/dead-letters.ts';
import { type InboundMessage } from '../../shared/platform/kafka/port.ts';
import { silentLogger } from '../../shared/platform/log/logger.ts';
import { createAggregator, LedgerRewound } from './aggregate.ts';
import { add, type Delta } from './counts/fold.ts';
import { type AppliedBatch, type LedgerEntry, type Ledger, MAX_IDS } from './ledger/ledger.ts';

/** The script's rules in memory. The script itself is tested on a real Redis. */
class MemoryLedger implements Ledger {
  offsets = new Map<string, bigint>();
  counts: Delta = new Map();
  ids = new Set<string>();
  calls = 0;

  position(partition: string): Promise<bigint | undefined> {
    return Promise.resolve(this.offsets.get(partition));
  }

  apply(entry: LedgerEntry): Promise<AppliedBatch> {
    this.calls += 1;
    const stored = this.offsets.get(entry.partition);
    if (stored !== entry.believed) return Promise.resolve({ result: 'moved', stored });
    const repeated = entry.ids.filter((id) => this.ids.has(id));
    if (repeated.length > 0) return Promise.resolve({ result: 'repeated', ids: new Set(repeated) });
    for (const [name, by] of entry.delta) add(this.counts, name, by);
    for (const id of entry.ids) this.ids.add(id);
    this.offsets.set(entry.partition, entry.next);
    return Promise.resolve({ result: 'applied' });
  }

  read(): Promise<ReadonlyMap<string, number>> {
    return Promise.resolve(this.counts);
  }
}

const topic = 'turnout.events';

function event(offset: number, id = `e${offset}`): InboundMessage {
  const outcome: Outcome = {
    version: 1,
    id,
    jobId: `job_${'a'.repeat(32)}`,
    userHash: 'abc',
    model: 'gpt',
    status: 'completed',
    attempts: 1,
    at: offset,
    ms: { total: 1 },
    usage: [],
  };
  return message(offset, JSON.stringify(outcome));
}

function message(offset: number, value: string): InboundMessage {
  return { topic, partition: 0, offset: BigInt(offset), timestamp: 0, key: undefined, value, headers: {} };
}

let ledger: MemoryLedger;
let alarms: unknown[];
let published: [origin: string, reason: string][];

beforeEach(() => {
  ledger = new MemoryLedger();
  published = [];
  alarms = [];
});

const log = Object.assign(Object.create(silentLogger) as typeof silentLogger, {
  error: (fields: unknown, message: string) => alarms.push([fields, message]),
});

const slowFrom = { learn: () => Promise.resolve(), of: () => undefined };

function aggregator() {
  const deadLetters = {
    publish: ({ origin, reason }: DeadLetter) => {
      published.push([origin, reason]);
      return Promise.resolve();
    },
  };
  const made = createAggregator({ ledger, slowFrom, deadLetters, log });
  return {
    position: (end = 1_000n, at = 0n) => {
      const offsets = {
        committed: () => Promise.resolve(undefined),
        at: () => Promise.resolve(at),
        end: () => Promise.resolve(end),
      };
      return made.position({ topic, partition: 0, offsets });
    },
    onBatch: (...messages: InboundMessage[]) => made.onBatch({ topic, partition: 0, messages }),
  };
}

async function joined() {
  const member = aggregator();
  await member.position();
  return member;
}

function counts() {
  return Object.fromEntries([...ledger.counts].filter(([name]) => name.startsWith('events/')));
}

describe('an event is counted once', () => {
  test('when its batch is delivered again', async () => {
    const member = await joined();
    await member.onBatch(event(0), event(1));
    await member.onBatch(event(0), event(1), event(2));
    expect(counts()).toEqual({ 'events/counted': 3 });
  });

  test('when it was published twice', async () => {
    const member = await joined();
    await member.onBatch(event(0, 'a'), event(1, 'a'));
    await member.onBatch(event(2, 'a'), event(3, 'b'));
    expect(counts()).toEqual({ 'events/counted': 2, 'events/repeated': 2 });
  });

  test('when the service restarts', async () => {
    await (await joined()).onBatch(event(0), event(1));
    const again = aggregator();
    expect(await again.position()).toBe(2n);
    await again.onBatch(event(1), event(2));
    expect(counts()).toEqual({ 'events/counted': 3 });
  });

  test('when a former owner of the partition is still counting', async () => {
    const [zombie, owner] = [await joined(), await joined()];
    await owner.onBatch(event(0), event(1));
    await zombie.onBatch(event(0), event(1), event(2));
    await owner.onBatch(event(2), event(3));
    expect(counts()).toEqual({ 'events/counted': 4 });
  });

  test('when the reply to the first try was lost', async () => {
    const member = await joined();
    const apply = ledger.apply.bind(ledger);
    ledger.apply = async (entry) => {
      await apply(entry);
      ledger.apply = apply;
      throw new Error('timeout');
    };
    await expect(member.onBatch(event(0))).rejects.toThrow('timeout');
    await member.onBatch(event(0), event(1));
    expect(counts()).toEqual({ 'events/counted': 2 });
  });
});

test('a batch that is too large for one script call is split', async () => {
  const member = await joined();
  await member.onBatch(...Array.from({ length: MAX_IDS + 1 }, (_, i) => event(i)));
  expect([ledger.calls, counts()]).toEqual([2, { 'events/counted': MAX_IDS + 1 }]);
});

test('an unreadable event goes to the dead-letter topic without holding up others', async () => {
  const member = await joined();
  await member.onBatch(event(0), message(1, '{'), event(2));
  expect(published).toEqual([['turnout.events/0/1', expect.stringContaining('the message')]]);
  expect(counts()).toEqual({ 'events/counted': 2, 'events/unreadable': 1 });
});

describe('a topic that ends before the counted position', () => {
  test('was recreated: its events are counted, and an error is logged', async () => {
    await (await joined()).onBatch(event(0, 'old-0'), event(1, 'old-1'), event(2, 'old-2'));
    const again = aggregator();
    expect(await again.position(1n)).toBe(0n);
    await again.onBatch(event(0, 'new-0'), event(1, 'new-1'));
    expect(counts()).toEqual({ 'events/counted': 5 });
    expect(alarms).toContainEqual([
      expect.objectContaining({ counted: '3', end: '1' }),
      expect.stringContaining('continuing by message time'),
    ]);
    expect(await aggregator().position(2n)).toBe(2n);
  });

  test('was truncated: its remaining events are counted once', async () => {
    await (await joined()).onBatch(event(0, 'a'), event(1, 'b'), event(2, 'c'));
    const again = aggregator();
    expect(await again.position(2n, 1n)).toBe(1n);
    await again.onBatch(event(1, 'b'), event(2, 'd'));
    expect(counts()).toEqual({ 'events/counted': 4, 'events/repeated': 1 });
  });
});

test('a batch of unreadable events only moves the position', async () => {
  await (await joined()).onBatch(message(0, '{'));
  expect(await aggregator().position()).toBe(1n);
});

test('offsets that Kafka no longer has are counted as missing', async () => {
  const member = await joined();
  await member.onBatch(event(0));
  await member.onBatch(event(5));
  expect(counts()).toEqual({ 'events/counted': 2, 'events/missing': 4 });
});

describe('when Redis lost counts that it had acknowledged', () => {
  test.each([
    ['some', 1n],
    ['all', undefined],
  ])('%s of them: the batch is rejected until the position is read again', async (_name, left) => {
    const member = await joined();
    await member.onBatch(event(0), event(1));
    ledger.offsets = new Map(left === undefined ? [] : [[`${topic}/0`, left]]);
    await expect(member.onBatch(event(2))).rejects.toThrow(LedgerRewound);
    await expect(member.onBatch(event(2))).rejects.toThrow(LedgerRewound);
    expect(await member.position()).toBe(left ?? 0n);
  });
});

test('an answer that is not billed raises an alarm after it is counted', async () => {
  const member = await joined();
  const [unpaid, failed] = [event(0), event(1)];
  await member.onBatch(unpaid, { ...failed, value: failed.value?.replace('completed', 'failed') });
  const jobId = `job_${'a'.repeat(32)}`;
  expect(alarms).toEqual([[expect.objectContaining({ jobId }), expect.stringContaining('without usage')]]);
});
