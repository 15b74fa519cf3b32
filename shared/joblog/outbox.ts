import { type Outcome, outcome } from '../contracts/outcome.ts';
import { OUTCOME_TYPE } from '../contracts/job-message.ts';
import { toHeaders } from '../contracts/cloud-event.ts';
import { type Producer } from '../kafka/port.ts';
import { type Logger } from '../log/logger.ts';
import { type Redis } from '../redis/connect.ts';
import { type JobKeys } from '../redis/keys.ts';
import { duties, type Duty, type DutyHandlers } from './duties.ts';
import { type JobLog } from './job-log.ts';
import { periodically } from '../util/periodically.ts';

/**
 * Carries outcomes from the outbox rows, which the finishing script wrote, to `turnout.events`, and does what else is owed
 * for the job (`duties.ts`). A row goes when all of it is done.
 *
 * Whoever ended the job relays its row at once. A row that is still there after `ABANDONED_MS` lost its relayer (or Kafka
 * was away): the sweep of any process relays it. An outcome may so be published twice, always under the same event id.
 */
export interface Outbox {
  /** Relays the row that this process has just written. Never rejects: the sweep comes after it. */
  relay(row: OutboxRow): Promise<void>;
  start(): void;
  close(): Promise<void>;
}

export interface OutboxRow {
  /** Its id in the bucket's stream. */
  row: string;
  outcome: Outcome;
  duties: readonly Duty[];
}

interface OutboxOptions {
  redis: Redis;
  keys: JobKeys;
  producer: Producer;
  topic: string;
  source: string;
  jobLog: Pick<JobLog, 'settle'>;
  handlers: DutyHandlers;
  /** Tells those who count open jobs that this one is none any more; again for the same job it changes nothing. */
  ended: (outcome: Outcome) => Promise<void>;
  logger: Logger;
}

const ABANDONED_MS = 5_000;
const SWEEP_MS = 2_000;
const ROWS_AT_ONCE = 500;

export function createOutbox(options: OutboxOptions): Outbox {
  const { redis, keys, producer, topic, source, jobLog, handlers, ended, logger } = options;

  async function publish(event: Outcome): Promise<void> {
    const headers = toHeaders({ id: event.id, type: OUTCOME_TYPE, source });
    await producer.send({ topic, key: event.jobId, value: JSON.stringify(event), headers });
  }

  async function perform(jobId: string, duties: readonly Duty[]): Promise<void> {
    if (duties.length === 0) return;
    await allDone(duties.map((duty) => handlers[duty](jobId)));
    await jobLog.settle(jobId);
  }

  async function relay({ row, outcome: event, duties }: OutboxRow): Promise<void> {
    // Kafka being away holds up nothing else that is owed.
    await allDone([publish(event), perform(event.jobId, duties), ended(event)]);
    await redis.xdel(keys.outbox(event.jobId), row);
  }

  async function sweep(): Promise<void> {
    const until = `${Date.now() - ABANDONED_MS}`;
    const failures: unknown[] = [];
    for (const stream of keys.outboxes()) {
      const rows = await redis.xrange(stream, '-', until, 'COUNT', ROWS_AT_ONCE);
      // A row that cannot be read, or whose duty fails again and again, holds up no other row and no other bucket.
      failures.push(...(await failuresOf(rows.map(async ([row, fields]) => relay(readRow(row, fields))))));
    }
    if (failures.length > 0) throw failures[0];
  }

  const work = periodically({
    everyMs: SWEEP_MS,
    run: sweep,
    onError: (error) => logger.warn({ err: error }, 'Outbox sweep failed; it will run again'),
  });
  return {
    relay: async (row) => {
      try {
        await relay(row);
      } catch (error) {
        logger.warn(
          { err: error, jobId: row.outcome.jobId },
          'Not all that is owed for a job is done; the sweep will',
        );
      }
    },
    start: work.start,
    close: work.close,
  };
}

function readRow(row: string, [, json = '', , owed = '']: readonly string[]): OutboxRow {
  return { row, outcome: outcome.parse(JSON.parse(json)), duties: duties.parse(owed) };
}

/** Waits for all, also when one fails; then throws the first failure. */
async function allDone(work: readonly Promise<void>[]): Promise<void> {
  const failures = await failuresOf(work);
  if (failures.length > 0) throw failures[0];
}

/** Waits for all. */
async function failuresOf(work: readonly Promise<void>[]): Promise<unknown[]> {
  const results = await Promise.allSettled(work);
  return results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
}
