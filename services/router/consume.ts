import { type Batch } from '../../shared/platform/kafka/port.ts';
import { type Logger } from '../../shared/platform/log/logger.ts';
import { routeBatch, type RouteBatchDeps } from './route-batch.ts';
import { type Reading, type Watermarks } from './watermarks.ts';

interface ConsumeDeps {
  routing: RouteBatchDeps;
  watermarks: Watermarks;
  /** Resolves when the job Redis has room for more. */
  room: (signal: AbortSignal) => Promise<void>;
  /** The position has to be read again. */
  reposition: () => void;
  log: Logger;
}

/** Routes the batches of all partitions, and moves each partition's watermark behind them. */
export function createOnBatch({ routing, watermarks, room, reposition, log }: ConsumeDeps) {
  async function advance(reading: Reading, { partition, messages }: Batch): Promise<void> {
    const [first, last] = [messages.at(0), messages.at(-1)];
    if (!first || !last) return;
    const routed = { first: first.offset, next: last.offset + 1n, at: last.timestamp };
    const result = await watermarks.advance(reading, routed);
    if (result === 'moved' || result === 'late') return;
    const why =
      result === 'gap'
        ? 'A batch did not follow the one before it; the position is read again'
        : 'The watermark went back: the job Redis has lost what it had; routing again';
    log.error({ partition }, why);
    reposition();
  }

  return async (batch: Batch, signal: AbortSignal): Promise<void> => {
    // What waits in Kafka takes none of it.
    await room(signal);
    const { partition } = batch;
    const reading = watermarks.reading(partition);
    if (!reading) throw new Error(`partition ${partition} is read before its position is known`);
    await routeBatch(routing, batch, reading.mark?.next ?? 0n);
    const advanced = advance(reading, batch);
    // Without any watermark the committed offset must not come first: that would look like a lost position.
    if (reading.seen === undefined) await advanced;
    // Else not awaited: one that lags only means that more is looked at again after a restart.
    advanced.catch((error: unknown) => {
      log.warn({ err: error, partition }, 'Watermark not moved; the next batch will move it');
    });
  };
}
