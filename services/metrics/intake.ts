import { type Consumer } from '../../shared/platform/kafka/port.ts';
import { type Logger } from '../../shared/platform/log/logger.ts';
import { retrying } from '../../shared/platform/util/retrying.ts';

/**
 * The consumer, which can be replaced by a new one that reads its positions again:
 * idle -> reading -> (reopening -> reading)* -> closed.
 */
export interface Intake {
  start(): Promise<void>;
  joined(): boolean;
  /** Starts the replacement and returns. Does nothing during a replacement or after `close`. */
  reopen(): void;
  close(): Promise<void>;
}

export function createIntake(open: () => Consumer, log: Logger): Intake {
  let consumer = open();
  let reopening: Promise<void> | undefined;
  const stopping = new AbortController();

  async function replace(): Promise<void> {
    await retrying(
      async () => {
        await consumer.close();
        stopping.signal.throwIfAborted();
        consumer = open();
        await consumer.start();
      },
      { attempts: Infinity, baseMs: 100, maxMs: 5_000, signal: stopping.signal },
    );
  }

  return {
    start: () => consumer.start(),
    joined: () => reopening === undefined && consumer.joined(),
    reopen: () => {
      if (stopping.signal.aborted) return;
      reopening ??= replace()
        .catch((error: unknown) => {
          if (!stopping.signal.aborted) log.error({ err: error }, 'Could not reopen the events consumer');
        })
        .finally(() => (reopening = undefined));
    },
    close: async () => {
      stopping.abort();
      await reopening;
      await consumer.close();
    },
  };
}
