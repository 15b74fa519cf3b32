import { type Consumer as ClientConsumer, type Kafka as KafkaClient } from 'kafkajs';
import { setTimeout as delay } from 'node:timers/promises';
import { type Logger } from '../log/logger.ts';
import { retrying } from '../util/retrying.ts';
import { partitionOffsets } from './kafkajs-offsets.ts';
import { type ConsumerOptions } from './port.ts';

/** One attempt to set the start position of a partition: asked -> placed | dropped. A newer attempt drops the previous one. */
export interface Placement {
  /** Resolves to false if the partition has no position in time, or if the attempt is dropped. */
  placedWithin(milliseconds: number): Promise<boolean>;
  isPlaced(): boolean;
}

/** The placements of the partitions that are assigned to a member. */
export interface Placements {
  /** Begins a new assignment and drops the placements of the previous one. */
  assign(partitions: readonly number[]): void;
  /** Asks for the position of every assigned partition again. */
  repeat(): void;
  of(partition: number): Placement | undefined;
  /** Stops asking. A batch in flight still belongs to its placement. */
  close(): void;
}

interface PlacementsDeps {
  client: KafkaClient;
  consumer: ClientConsumer;
  options: ConsumerOptions;
  log: Logger;
}

/** kafkajs has no `assign`, so positions are set by `seek`. A partition that was paused while it waited is then resumed. */
export function createPlacements({ client, consumer, options, log }: PlacementsDeps): Placements {
  const { topic } = options;
  const placements = new Map<number, Placement & { drop: () => void }>();
  let closed = false;

  async function place(partition: number, signal: AbortSignal): Promise<void> {
    if (!options.position) return;
    const question = { topic, partition, offsets: partitionOffsets(client, options, partition), signal };
    const ask = () => options.position?.(question) ?? Promise.resolve(undefined);
    const offset = await retrying(ask, { attempts: Infinity, baseMs: 100, maxMs: 2_000, signal });
    // A newer attempt may have set the position already; do not overwrite it.
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
