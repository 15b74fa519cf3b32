import { type Outcome, outcome } from '../contracts/outcome.ts';
import { OUTCOME_TYPE } from '../contracts/job-message.ts';
import { toHeaders } from '../contracts/cloud-event.ts';
import { type Producer } from '../kafka/port.ts';
import { type Logger } from '../log/logger.ts';
import { type Redis } from '../redis/connect.ts';
import { type JobKeys } from '../redis/keys.ts';
import { periodically } from '../util/periodically.ts';

/**
 * Carries outcomes from the outbox rows, which the finishing script wrote, to `turnout.events`.
 *
 * Whoever ended the job relays its row at once. A row that is still there after `ABANDONED_MS` lost its relayer (or Kafka
 * was away): the sweep of any process relays it. An outcome may so be published twice, always under the same event id.
 */
export interface Outbox {
  /** Relays the row that this process has just written. Never rejects: the sweep comes after it. */
  relay(row: string, outcome: Outcome): Promise<void>;
  start(): void;
  close(): Promise<void>;
}

interface OutboxOptions {
  redis: Redis;
  keys: JobKeys;
  producer: Producer;
  topic: string;
  source: string;
  logger: Logger;
}

const ABANDONED_MS = 5_000;
const SWEEP_MS = 2_000;
const ROWS_AT_ONCE = 500;

export function createOutbox({ redis, keys, producer, topic, source, logger }: OutboxOptions): Outbox {
  async function publish(stream: string, row: string, event: Outcome): Promise<void> {
    const headers = toHeaders({ id: event.id, type: OUTCOME_TYPE, source });
    await producer.send({ topic, key: event.jobId, value: JSON.stringify(event), headers });
    await redis.xdel(stream, row);
  }

  async function sweep(): Promise<void> {
    const until = `${Date.now() - ABANDONED_MS}`;
    for (const stream of keys.outboxes()) {
      const rows = await redis.xrange(stream, '-', until, 'COUNT', ROWS_AT_ONCE);
      await Promise.all(rows.map(([row, fields]) => publish(stream, row, readRow(fields))));
    }
  }

  const work = periodically({
    everyMs: SWEEP_MS,
    run: sweep,
    onError: (error) => logger.warn({ err: error }, 'Outbox sweep failed; it will run again'),
  });
  return {
    relay: async (row, event) => {
      try {
        await publish(keys.outbox(event.jobId), row, event);
      } catch (error) {
        logger.warn({ err: error, jobId: event.jobId }, 'Outcome not published yet; the sweep will');
      }
    },
    start: work.start,
    close: work.close,
  };
}

function readRow([, json = '']: readonly string[]): Outcome {
  return outcome.parse(JSON.parse(json));
}
