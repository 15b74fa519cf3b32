import { outcome } from '../contracts/outcome.ts';
import { OUTCOME_TYPE } from '../contracts/job-message.ts';
import { toHeaders } from '../contracts/cloud-event.ts';
import { type Producer } from '../kafka/port.ts';
import { type Logger } from '../log/logger.ts';
import { type Redis } from '../redis/connect.ts';
import { type JobKeys } from '../redis/keys.ts';

/**
 * Carries outcomes from the outbox rows, which the finishing script wrote, to `turnout.events`.
 *
 * Whoever ended the job relays its row at once. A row that is still there after `ABANDONED_MS` lost its relayer (or Kafka
 * was away): the sweep of any process relays it. An outcome may so be published twice, always under the same event id.
 */
export interface Outbox {
  /** Relays the row that this process has just written. Never rejects: the sweep comes after it. */
  relay(jobId: string, row: string): Promise<void>;
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
  let sweeping: Promise<void> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;

  async function publish(stream: string, row: string, fields: readonly string[]): Promise<void> {
    const event = toOutcome(fields);
    const headers = toHeaders({ id: event.id, type: OUTCOME_TYPE, source });
    await producer.send({ topic, key: event.jobId, value: JSON.stringify(event), headers });
    await redis.xdel(stream, row);
  }

  async function sweep(): Promise<void> {
    const until = `${Date.now() - ABANDONED_MS}`;
    for (const stream of keys.outboxes()) {
      const rows = await redis.xrange(stream, '-', until, 'COUNT', ROWS_AT_ONCE);
      await Promise.all(rows.map(([row, fields]) => publish(stream, row, fields)));
    }
  }

  async function sweepAndLog(): Promise<void> {
    await sweep().catch((error: unknown) => logger.warn({ err: error }, 'Outbox sweep failed; it will run again'));
  }

  return {
    relay: async (jobId, row) => {
      const stream = keys.outbox(jobId);
      try {
        const [found] = await redis.xrange(stream, row, row);
        if (found) await publish(stream, row, found[1]);
      } catch (error) {
        logger.warn({ err: error, jobId }, 'Outcome not published yet; the sweep will');
      }
    },
    start: () => {
      timer = setInterval(() => {
        sweeping = sweeping.then(sweepAndLog);
      }, SWEEP_MS);
    },
    close: async () => {
      clearInterval(timer);
      await sweeping;
    },
  };
}

function toOutcome(fields: readonly string[]) {
  const row = Object.fromEntries(fields.flatMap((field, i) => (i % 2 === 0 ? [[field, fields[i + 1]]] : [])));
  return outcome.parse({ ...(JSON.parse(row['outcome'] ?? '{}') as object), attempts: Number(row['attempts']) });
}
