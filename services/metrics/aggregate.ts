import { type Outcome } from '../../shared/contracts/outcome.ts';
import { type DeadLetters, letterOfMessage } from '../../shared/jobs/dead-letters.ts';
import {
  type Batch,
  type InboundMessage,
  type PartitionOffsets,
  type PositionQuestion,
} from '../../shared/platform/kafka/port.ts';
import { type RolloutJob, rolloutJobOf } from '../../shared/rollout/judge/rollout-job.ts';
import { type Logger } from '../../shared/platform/log/logger.ts';
import { field } from './counts/fields.ts';
import { add, fold, isUnpaid } from './counts/fold.ts';
import { type AppliedBatch, type LedgerEntry, type Ledger, MAX_IDS } from './ledger/ledger.ts';
import { readOutcome } from './read-event.ts';
import { sectionsOf } from './ledger/sections.ts';
import { type SlowFrom } from './rollout/slow-from.ts';

/** Redis lost counts that it had acknowledged. Only reading again from the offset that it still has makes the counts right. */
export class LedgerRewound extends Error {
  override readonly name = 'LedgerRewound';
}

/**
 * What happens to a message: below the position -> dropped; unreadable -> dead-letter topic, then counted as unreadable; id already
 * counted -> counted as repeated; otherwise counted. The position moves in the same transaction as the counts.
 */
export interface Aggregator {
  /**
   * The offset to start at: the first event if nothing is stored, because then nothing is counted either. A topic that ends before the
   * stored position was recreated or truncated. Its events are counted from a minute before the last counted one; ids prevent double
   * counting.
   */
  position(question: Omit<PositionQuestion, 'signal'>): Promise<bigint>;
  /** Counts the batch. Throws `LedgerRewound`, or the error of Redis or Kafka; after an error the batch may be counted again. */
  onBatch(batch: Batch): Promise<void>;
}

interface AggregatorDeps {
  ledger: Ledger;
  slowFrom: Pick<SlowFrom, 'learn' | 'of'>;
  deadLetters: DeadLetters;
  log: Logger;
}

/** Tolerance for event times, which come from the clocks of the processes that wrote the events. Milliseconds. */
const OVERLAP_MS = 60_000;

/** A message of the batch; `outcome` is undefined if the message was unreadable. */
interface Event {
  offset: bigint;
  outcome: Outcome | undefined;
}

interface Pending {
  partition: string;
  /** The stored offset, as far as this process knows. */
  believed: bigint | undefined;
  events: readonly [Event, ...Event[]];
  /** Ids that the ledger has already counted. */
  known: ReadonlySet<string>;
}

export function createAggregator({ ledger, slowFrom, deadLetters, log }: AggregatorDeps): Aggregator {
  const positions = new Map<string, bigint | undefined>();

  async function countMessages(partition: string, messages: readonly InboundMessage[]): Promise<void> {
    const believed = positions.get(partition);
    const events = await Promise.all(
      messages.filter(({ offset }) => offset >= (believed ?? 0n)).map(readOrReject),
    );
    await slowFrom.learn(events.flatMap(({ outcome }) => (outcome && rolloutJobOf(outcome)) ?? []));
    let pending = toPending(partition, believed, events, new Set());
    while (pending) {
      const next = nextOf(pending);
      pending = remaining(pending, await ledger.apply(toEntry(pending, (job) => slowFrom.of(job))));
      positions.set(partition, pending ? pending.believed : next);
    }
    for (const { outcome } of events) if (outcome && isUnpaid(outcome)) alarm(outcome);
  }

  async function reachable(partition: string, stored: bigint, offsets: PartitionOffsets): Promise<bigint> {
    const end = await offsets.end();
    if (stored <= end) return stored;
    const until = (await ledger.read()).get('until') ?? 0;
    const next = await offsets.at(Math.max(0, until - OVERLAP_MS));
    const found = { partition, counted: stored.toString(), end: end.toString(), next: next.toString() };
    log.error(found, 'Events topic ends before the counted position; continuing by message time');
    const nothing = { ids: [], jobs: [], delta: new Map<string, number>(), sections: [], times: [] };
    const applied = await ledger.apply({ partition, believed: stored, next, ...nothing });
    if (applied.result !== 'applied')
      throw new LedgerRewound(`${partition}: another instance moved the position meanwhile`);
    return next;
  }

  function alarm({ jobId, model, decision }: Outcome): void {
    log.error(
      { jobId, model, path: decision?.path },
      'Job completed without usage: its answer is not billed',
    );
  }

  async function readOrReject(message: InboundMessage): Promise<Event> {
    const read = readOutcome(message);
    if ('outcome' in read) return { offset: message.offset, outcome: read.outcome };
    await deadLetters.publish(letterOfMessage(message, read.reason));
    const { partition, offset } = message;
    log.error(
      { partition, offset: offset.toString(), reason: read.reason },
      'Event published to the dead-letter topic',
    );
    return { offset, outcome: undefined };
  }

  return {
    position: async ({ topic, partition, offsets }) => {
      const name = partitionName(topic, partition);
      const stored = await ledger.position(name);
      const position = stored === undefined ? undefined : await reachable(name, stored, offsets);
      positions.set(name, position);
      return position ?? 0n;
    },
    onBatch: async ({ topic, partition, messages }) => {
      for (let first = 0; first < messages.length; first += MAX_IDS) {
        await countMessages(partitionName(topic, partition), messages.slice(first, first + MAX_IDS));
      }
    },
  };
}

function partitionName(topic: string, partition: number): string {
  return `${topic}/${partition}`;
}

function toPending(
  partition: string,
  believed: bigint | undefined,
  events: readonly Event[],
  known: ReadonlySet<string>,
): Pending | undefined {
  const [first, ...rest] = events;
  return first && { partition, believed, events: [first, ...rest], known };
}

/** The events that must still be applied after the ledger's answer. Throws `LedgerRewound`, which leaves the known position unchanged. */
function remaining(pending: Pending, applied: AppliedBatch): Pending | undefined {
  const { partition, believed, events, known } = pending;
  switch (applied.result) {
    case 'applied':
      return undefined;
    case 'repeated':
      return { ...pending, known: new Set([...known, ...applied.ids]) };
    case 'moved': {
      const { stored } = applied;
      if (stored === undefined || (believed !== undefined && stored < believed)) {
        throw new LedgerRewound(
          `${partition}: events were counted up to ${believed ?? 0n}, but Redis has only ${stored ?? 0n}`,
        );
      }
      return toPending(
        partition,
        stored,
        events.filter(({ offset }) => offset >= stored),
        known,
      );
    }
  }
}

function toEntry(
  { partition, believed, events, known }: Pending,
  slowFrom: (job: RolloutJob) => number | undefined,
): LedgerEntry {
  const readable = events.flatMap(({ outcome }) => outcome ?? []);
  const fresh = firstOfEachId(readable, known);
  const delta = fold(fresh);
  add(delta, field.events('repeated'), readable.length - fresh.length);
  add(delta, field.events('unreadable'), events.length - readable.length);
  add(delta, field.events('missing'), believed === undefined ? 0 : Number(events[0].offset - believed));
  const next = nextOf({ events });
  return {
    partition,
    believed,
    next,
    ids: fresh.map(({ id }) => id),
    jobs: fresh.map(({ jobId, at }) => ({ jobId, at })),
    delta,
    sections: sectionsOf(fresh, slowFrom),
    times: fresh.map(({ at }) => at),
  };
}

function firstOfEachId(outcomes: readonly Outcome[], known: ReadonlySet<string>): Outcome[] {
  const seen = new Set(known);
  return outcomes.filter(({ id }) => !seen.has(id) && seen.add(id));
}

function nextOf({ events }: Pick<Pending, 'events'>): bigint {
  return (events.at(-1) ?? events[0]).offset + 1n;
}
