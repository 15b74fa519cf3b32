import { type Batch } from '../../shared/platform/kafka/port.ts';
import { type Logger } from '../../shared/platform/log/logger.ts';
import { routeBatch, type RouteBatchDeps } from './route-batch.ts';
import { type Reading, type Watermarks } from './watermarks.ts';

interface ConsumeDeps {
  routing: RouteBatchDeps;
  watermarks: Watermarks;
  /** Resolves when the job Redis has room for more. */
  room: (signal: AbortSignal) => Promise<void>;
  /** Makes the consumer read its position again. */
  reposition: () => void;
  log: Logger;
}

/** Routes the batches of all partitions, and moves each partition's watermark past every batch. */
export function createOnBatch({ routing, watermarks, room, reposition, log }: ConsumeDeps) {
  async function advance(reading: Reading, { partition, messages }: Batch): Promise<void> {
    const [first, last] = [messages.at(0), messages.at(-1)];
    if (!first || !last) return;
    const routed = { first: first.offset, next: last.offset + 1n, at: last.timestamp };
    const result = await watermarks.advance(reading, routed);
    if (result === 'moved' || result === 'late') return;
    const why =
      result === 'gap'
        ? 'Gap between two batches; reading the position again'
        : 'Watermark went back because the job Redis lost data; routing again from there';
    log.error({ partition }, why);
    reposition();
  }

  return async (batch: Batch, signal: AbortSignal): Promise<void> => {
    // Messages that wait in Kafka use no memory in Redis.
    await room(signal);
    const { partition } = batch;
    const reading = watermarks.reading(partition);
    if (!reading) throw new Error(`a batch of partition ${partition} arrived before its position was read`);
    await routeBatch(routing, batch, reading.mark?.next ?? 0n);
    const advanced = advance(reading, batch);
    // The first watermark of a partition is awaited: a committed offset without a watermark would look like a lost position.
    if (reading.seen === undefined) await advanced;
    // Later ones are not awaited: if a watermark lags, more messages are checked again after a restart, and nothing else happens.
    advanced.catch((error: unknown) => {
      log.warn({ err: error, partition }, 'Could not move the watermark; the next batch moves it');
    });
  };
}
