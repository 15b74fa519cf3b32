import { type Outcome, outcome } from '../../contracts/outcome.ts';
import { OUTCOME_TYPE } from '../../contracts/job-message.ts';
import { toHeaders } from '../../contracts/cloud-event.ts';
import { type Producer } from '../../platform/kafka/port.ts';
import { type Logger } from '../../platform/log/logger.ts';
import { type Redis } from '../../platform/redis/connect.ts';
import { type JobKeys } from '../../platform/redis/keys.ts';
import { type CompletionHooks } from './completion-hooks.ts';
import { type JobLog } from './job-log.ts';
import { periodically } from '../../platform/util/periodically.ts';

/**
 * Carries outcomes from the outbox rows, which the finishing script wrote, to `turnout.events`.
 *
 * A row moves: with hooks -> parted from them (`completion-hooks.ts` runs these) -> published -> gone. So a hook that fails never
 * publishes an outcome again, and Kafka being away delays no hook. The job's record stays until its row has gone.
 *
 * Whoever ended the job relays its row at once. A row that is still there after `ABANDONED_MS` lost its relayer (or Kafka
 * was away): the sweep of one process relays it. An outcome may so be published twice, always under the same event id.
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
  /** The outcome as its row has it, with what a later version has added; absent where this process has just made it. */
  written?: string;
  hookNames: readonly string[];
}

interface OutboxOptions {
  redis: Redis;
  keys: JobKeys;
  jobLog: Pick<JobLog, 'published'>;
  producer: Producer;
  topic: string;
  source: string;
  hooks: Pick<CompletionHooks, 'take' | 'run'>;
  /** Tells those who count open jobs that this one is none any more; again for the same job it changes nothing. */
  ended: (outcome: Outcome) => Promise<void>;
  logger: Logger;
}

const ABANDONED_MS = 5_000;
const SWEEP_MS = 2_000;
const ROWS_AT_ONCE = 500;
/** A sweep that takes longer overlaps with another: that does no harm. */
const LEASE_MS = 10_000;

export function createOutbox(options: OutboxOptions): Outbox {
  const { redis, keys, jobLog, producer, topic, source, hooks, ended, logger } = options;
  /** Where the next sweep of a stream begins. */
  const from = new Map<string, string>();

  async function publish(event: Outcome, value = JSON.stringify(event)): Promise<void> {
    const headers = toHeaders({ id: event.id, type: OUTCOME_TYPE, source });
    await producer.send({ topic, key: event.jobId, value, headers });
  }

  async function relay({ row, outcome: event, written, hookNames }: OutboxRow): Promise<void> {
    const { jobId } = event;
    const parted = hookNames.length === 0 ? row : await hooks.take(jobId, row);
    if (parted === '') return; // another process has parted it, and relays it
    const hooked = hookNames.length === 0 ? Promise.resolve() : hooks.run(jobId, hookNames);
    await allDone([publish(event, written), ended(event)]).then(
      () => jobLog.published(jobId, parted),
      async (error: unknown) => {
        await hooked;
        throw error;
      },
    );
    await hooked;
  }

  async function sweep(): Promise<void> {
    const lease = keys.outboxLease();
    if ((await redis.set(lease, '1', 'PX', LEASE_MS, 'NX')) === null) return;
    const failures: unknown[] = [];
    for (const stream of keys.outboxes()) failures.push(...(await sweepStream(stream)));
    await redis.del(lease);
    if (failures.length > 0) throw failures[0];
  }

  /** Rows that cannot be read delay no other row: the next sweep goes on behind the last one of a full page. */
  async function sweepStream(stream: string): Promise<unknown[]> {
    const until = `${Date.now() - ABANDONED_MS}`;
    const rows = await redis.xrange(stream, from.get(stream) ?? '-', until, 'COUNT', ROWS_AT_ONCE);
    const last = rows.length < ROWS_AT_ONCE ? undefined : rows.at(-1)?.[0];
    if (last === undefined) from.delete(stream);
    else from.set(stream, `(${last}`);
    return failuresOf(rows.map(async ([row, fields]) => relay(readRow(row, fields))));
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
  return {
    row,
    outcome: outcome.parse(JSON.parse(json)),
    written: json,
    hookNames: owed.split(' ').filter((name) => name !== ''),
  };
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
