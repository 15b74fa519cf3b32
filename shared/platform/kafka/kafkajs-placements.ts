import { type Consumer as ClientConsumer, type Kafka as KafkaClient } from 'kafkajs';
import { setTimeout as delay } from 'node:timers/promises';
import { type Logger } from '../log/logger.ts';
import { retrying } from '../util/retrying.ts';
import { partitionOffsets } from './kafkajs-offsets.ts';
import { type ConsumerOptions } from './port.ts';

/** One answer to the question where a partition begins: asked -> placed | dropped, when it is asked again. */
export interface Placement {
  /** False when it is not placed after so many milliseconds, or when it is dropped. */
  placedWithin(milliseconds: number): Promise<boolean>;
  isPlaced(): boolean;
}

/** The placements of the partitions that a member is assigned. */
export interface Placements {
  /** A new assignment: what was asked for the one before is dropped. */
  assign(partitions: readonly number[]): void;
  /** Asks again for every assigned partition. */
  repeat(): void;
  of(partition: number): Placement | undefined;
  /** Asks nothing any more. A batch in flight is still one of its placement. */
  close(): void;
}

interface PlacementsDeps {
  client: KafkaClient;
  consumer: ClientConsumer;
  options: ConsumerOptions;
  log: Logger;
}

/** kafkajs has no `assign`: a position is set by `seek`. A partition that was paused meanwhile is read again from then on. */
export function createPlacements({ client, consumer, options, log }: PlacementsDeps): Placements {
  const { topic } = options;
  const placements = new Map<number, Placement & { drop: () => void }>();
  let closed = false;

  async function place(partition: number, signal: AbortSignal): Promise<void> {
    if (!options.position) return;
    const question = { topic, partition, offsets: partitionOffsets(client, options, partition), signal };
    const ask = () => options.position?.(question) ?? Promise.resolve(undefined);
    const offset = await retrying(ask, { attempts: Infinity, baseMs: 100, maxMs: 2_000, signal });
    // A newer question may have been answered already: its answer must not be undone.
    signal.throwIfAborted();
    if (offset !== undefined) consumer.seek({ topic, partition, offset: offset.toString() });
    consumer.resume([{ topic, partitions: [partition] }]);
  }

  function begin(partition: number): void {
    const dropping = new AbortController();
    let isPlaced = false;
    const placed = place(partition, dropping.signal).then(
      () => (isPlaced = true),
      (error: unknown) => {
        if (!dropping.signal.aborted)
          log.error({ err: error, partition }, 'Kafka: a position could not be set');
        return false;
      },
    );
    placements.set(partition, {
      placedWithin: (milliseconds) => settledWithin(placed, milliseconds),
      isPlaced: () => isPlaced,
      drop: () => dropping.abort(),
    });
  }

  function dropQuestions(): void {
    for (const placement of placements.values()) placement.drop();
  }

  function assign(partitions: readonly number[]): void {
    if (closed) return;
    dropQuestions();
    placements.clear();
    partitions.forEach(begin);
  }

  return {
    assign,
    repeat: () => assign([...placements.keys()]),
    of: (partition) => placements.get(partition),
    close: () => {
      closed = true;
      dropQuestions();
    },
  };
}

async function settledWithin(promise: Promise<boolean>, milliseconds: number): Promise<boolean> {
  const timer = new AbortController();
  try {
    const late = delay(milliseconds, false, { signal: timer.signal }).catch(() => false);
    return await Promise.race([promise, late]);
  } finally {
    timer.abort();
  }
}
